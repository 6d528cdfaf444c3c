"""Small networks with all that emitted source has a spelling for: test_python.py and test_build.py run them."""

from __future__ import annotations

CASES = {
    "side head in a block": """
        block stage (out)
          conv1: conv 3x3, out, pad 1
          relu
          output aux when training
            head: conv 1x1, 2
          conv2: conv 3x3, out, pad 1
          relu
        net tiny (classes = 3)
          input 3x16x16
          body: stage 8
          mean
          fc: linear classes
        """,
    "taps": """
        block enc (out)
          a: conv 3x3, out, pad 1
          b: conv 3x3, out, stride 2, pad 1
        net tiny
          input 3x16x16
          features:
            stem: conv 3x3, 4, pad 1
            relu
            enc: enc 8
          up: conv_transpose 2x2, 8, stride 2
          concat
            - skip
            - from features.enc.a
          head: conv 1x1, 2
        """,
    "labels that are no attributes": """
        net tiny
          input 3x16x16
          block1-0: conv 3x3, 4, pad 1
          relu
          klass: conv 3x3, 4, pad 1
          1: conv 3x3, 4, pad 1
          relu: batchnorm
          relu
        """,
    "merges among numbers": """
        net tiny
          input 3x16x16
          conv 3x3, 4, pad 1
          relu
          residual
            conv 3x3, 4, pad 1
            group
              conv 1x1, 8
              relu
              conv 1x1, 4
          concat
            - conv 1x1, 2
            - maxpool 3x3, stride 1, pad 1
            - skip
          mean
          linear 5
        """,
    "parameters": """
        net tiny (dim = 8)
          input 3x16x16
          patch: conv 4x4, dim, stride 4
          tokens
          concat along tokens
            - cls: parameter [1, 1, dim], init normal(0.02)
            - skip
          add
            - skip
            - pos: parameter [1, 17, dim], init trunc_normal(0.02)
          take 0
          head: linear 3
        """,
    "loops": """
        block b (n)
          residual
            conv1: conv 3x3, n, pad 1
            relu
        net tiny
          input 3x16x16
          stem: conv 3x3, 8, pad 1
          repeat 6
            c{i}: conv 3x3, 8, pad 1
            relu
          layer: 5 x b 8
          feats:
            repeat 4
              conv 3x3, 8, pad 1
              batchnorm
              relu
          mean
          fc: linear 2
        """,
    "unused, early and evaluation outputs": """
        net tiny
          input 3x16x16
          a: conv 3x3, 4, pad 1
          unused dead: conv 1x1, 7
          output early
            e: conv 1x1, 2
          output only when not training
            o: conv 1x1, 2
          b: conv 3x3, 4, pad 1
          output logits
        """,
    "upsample": """
        net tiny
          input 3x16x16
          a: conv 3x3, 4, stride 2, pad 1
          b: conv 3x3, 4, stride 2, pad 1
          upsample to @a
          add
            - skip
            - from a
          upsample to input
          c: conv 1x1, 2
        """,
    "arithmetic and sizes": """
        block cb (kernel, out, stride = 1, pad as size = 0)
          conv: conv kernel, out, stride, pad
          bn: batchnorm eps 0.001
          relu
        block mb (width, expand = 4)
          let hidden = divisible(width * expand * 0.75, 8)
          multiply
            - skip
            - se:
                avgpool to 1x1
                conv 1x1, max(1, input.channels // 4)
                relu
                conv 1x1, input.channels
                sigmoid
          a: conv 1x1, hidden
          hardswish
          dw: dwconv 3x3, pad 1
          b: conv 1x1, width
        net tiny (width = 0.5)
          input 3x32x32
          s1: cb 3x3, 16 * width
          s2: cb 1x7, 16, pad 0x3
          s3: cb 7x1, 16, pad 3x0
          s4: cb 3x3, 24, stride 2
          m: mb 24
          m2: mb 32, expand 2
          mean
          fc: linear 10
        """,
    "inits by place": """
        init conv weight kaiming_normal(fan_out), bias 0
        init linear weight normal(0.01), bias 0.5
        init batchnorm weight 1
        net tiny
          input 3x8x8
          a: conv 3x3, 4
          bn1: batchnorm
          b: conv 3x3, 4, init_weight zeros
          bn2: batchnorm init_weight 0
          c: conv 1x1, 4, bias no, init_weight uniform(0.2)
          mean
          p: prelu
          fc1: linear 16
          relu
          fc2: linear 3, init_weight default, init_bias default
        """,
    "a signal": """
        net tiny
          input 4x64
          conv 7, 8, stride 2, pad 3
          batchnorm
          gelu
          dropout 0.2
          relu6
          maxpool 3, stride 2
          flatten
          linear 3
        """,
    "two training heads": """
        net tiny
          input 3x16x16
          a: conv 3x3, 4, pad 1
          output s1 when training
            s: conv 1x1, 2
            relu
            t: conv 1x1, 2
          output s2 when training
            u: conv 1x1, 2
          relu
          b: conv 3x3, 4, pad 1
        """,
    "variants of a block": """
        block v (out, k = 1, act as op = relu)
          conv: conv 3x3, out, pad 1
          extra: conv 1x1, out when k > 1
          act
          bn: batchnorm
        block deep (out)
          residual
            inner: v out, 2
            outer: v out
          shortcut when input.channels == out
        net tiny
          input 3x16x16
          a: v 4
          b: v 4, 2
          c: v 4, act hardswish
          d: v 4, act none
          e: deep 4
          f: deep 6
        """,
    "a parameter called as an argument of ours": """
        block b (in_channels, self)
          conv 1x1, in_channels
          conv 1x1, 2 * self
        net tiny (nn = 4)
          input 3x8x8
          a: b nn, 5
          b: b 7, nn
        """,
    "outputs with names of Python's": """
        net tiny
          input 3x8x8
          output class
            a: conv 1x1, 2
          output _x when training
            b: conv 1x1, 2
          output self when not training
            d: conv 1x1, 2
          c: conv 1x1, 3
        """,
    "kinds drawn alike at some paths": """
        net tiny
          input 3x8x8
          conv 1x1, 8, init zeros
          conv 1x1, 8, init zeros
          conv 1x1, 8
          flatten
          linear 9, init xavier_normal
          linear 9, init xavier_normal
          linear 9
        """,
    "one that is drawn as another kind is": """
        net tiny
          input 3x8x8
          conv 3x3, 8, init zeros
          flatten
          linear 9, init zeros
          linear 9
          linear 9
        """,
    "a weight that some have, and nothing else": """
        net tiny
          input 3x8x8
          layout NHWC
          rmsnorm affine no
          rmsnorm init_weight 0.5
        """,
    "a norm of ours that is a kind of PyTorch's": """
        net tiny
          input 3x8x8
          layernorm bias no
          layernorm affine no
          flatten
          layernorm init_weight 0.5
        """,
    "one without weights that is a kind of PyTorch's": """
        net tiny
          input 3x8x8
          layernorm affine no
          flatten
          layernorm init_weight 0.5
        """,
    "norms at paths, one of another kind among them": """
        net tiny
          input 3x8x8
          head:
            a: layernorm bias no, init_weight 2
            flatten
            b: layernorm init_weight 0.5
            c: layernorm init_weight 0.5
          d: layernorm
          e: layernorm
          f: layernorm
        """,
    "sizes that take long to say": """
        block stage (width)
          dense 3
            glu
          n: instancenorm
          c: conv 1x1, width
        net tiny (width = 4)
          input 8x4x4
          a: stage width
        """,
    "equal neighbours on a long line": """
        block stage (width)
          dense 3
            group
              a_long_name_of_a_step: tanh
              the_name_of_the_other: lrn 3
          conv 1x1, width
        net tiny
          input 3x8x8
          stage 8
        """,
    "named sequences": """
        net tiny
          input 3x16x16
          features:
            conv0: conv 3x3, 4, pad 1
            norm0: batchnorm
            relu0: relu
            pool0: maxpool 2x2
          flatten
          classifier: linear 5
        """,
}


def spec(name: str) -> str:
    """A case as a spec's text, without the margin that it has here."""
    lines = CASES[name].strip("\n").splitlines()
    margin = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return "\n".join(line[margin:] for line in lines).rstrip() + "\n"
