"""Expressions, names of values, parameters, defaults and initialisation, and what may depend on the input's size."""

from __future__ import annotations

from typing import Any

import pytest
from network_facts import layers, net, outs, refused, weights

from archdsl.diagnostics import SpecError
from archdsl.ir import Init, Net, leaves
from archdsl.render import render


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("min(3, 5)", 3),
        ("max([3, 5])", 5),
        ("sum([1, 2, 3])", 6),
        ("len([1, 2])", 2),
        ("int(3.7)", 3),
        ("round(2.6)", 3),
        ("ceil(2.1)", 3),
        ("floor(2.9)", 2),
        ("sqrt(16)", 4),
        ("abs(-3)", 3),
        ("divisible(33)", 32),
        ("divisible(11, 8)", 16),
        ("divisible(4)", 8),
        ("64 * 0.5", 32),
        ("7 // 2", 3),
        ("7 % 4", 3),
        ("2 ** 3 ** 2 // 64", 8),
        ("8 / 2", 4),
        ("-2 + 3", 1),
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("[4, 5, 6][1]", 5),
        ("[4, 5, 6][-1]", 6),
        ("len([4, 5, 6][:2])", 2),
        ("sum([4, 5, 6][1:])", 11),
        ("2 if 3 < 4 and not (2 == 3) or no else 9", 2),
        ("here.channels * 2", 8),
    ],
)
def test_expressions(expression: str, value: int) -> None:
    assert outs(net(f"c: conv 1x1, {expression}")) == {"c": value}


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ("64 * 0.3", "invalid-setting"),
        ("3 / 0", "bad-value"),
        ("[1, 2][2]", "bad-value"),
        ("sqrt(0 - 1)", "bad-value"),
        ("2 ** 99", "number-too-large"),
        ("widht", "unknown-name"),
        ("here.hight", "bad-value"),
        ("sin(2)", "unknown-function"),
        ("3 if 4 else 5", "bad-value"),
    ],
)
def test_expressions_that_cant_be(expression: str, code: str) -> None:
    assert refused(f"c: conv 1x1, {expression}") == [code]


def test_input_and_here_are_shapes() -> None:
    head = "block b\n  c: conv 1x1, 2*input.channels\n  g:\n    conv 1x1, input.channels + here.channels"
    assert outs(net("p: conv 1x1, input.channels + 1\nx: b\nq: conv 1x1, input.channels", head=head)) == {
        "p": 5,
        "x.c": 10,
        "x.g.0": 15,
        "q": 4,
    }


def test_a_let_is_seen_to_the_end_of_its_body() -> None:
    body = """
        let c = a + b
        let d = c + 1
        x: conv 1x1, d
        g:
          let e = 2
          conv 1x1, e
        h:
          let e = 9
          conv 1x1, e
        repeat 2
          let e = 3 + i
          k{i}: conv 1x1, e
    """
    assert outs(net(body, head="let a = 3", b=4)) == {"x": 8, "g.0": 2, "h.0": 9, "k0": 3, "k1": 4}
    assert refused("g:\n  let e = 2\n  conv 1x1, e\ny: conv 1x1, e") == ["unknown-name"]


@pytest.mark.parametrize(
    "line", ["let a = 5", "let b = 3", "let same = 2", "for a in [1, 2]\n  c{a}: relu", "repeat 2 as b\n  c{b}: relu"]
)
def test_names_hide_no_other(line: str) -> None:
    assert refused(f"{line}\nx: conv 1x1, 2", head="let a = 3", b=4) == ["invalid-name"]


@pytest.mark.parametrize("kind", ["block", "macro"])
def test_definitions_see_nothing_of_their_callers(kind: str) -> None:
    assert refused("let k = 3\nb", head=f"{kind} b\n  c: conv 1x1, k") == ["unknown-name"]


def test_a_setting_without_value_is_the_variable_or_a_flag() -> None:
    head = "block b (width, stride = 1, ceil = no)\n  c: conv 3x3, width, stride\n  maxpool 2x2, ceil"
    found = net("x: b 4\ny: b 4, 2\nz: maxpool 2x2, ceil", head=head, input="4x31x31")
    steps = {leaf.path: leaf.step.op for leaf in leaves(found.scope)}
    assert vars(steps["y.c"])["stride"] == 2
    assert [vars(steps[path])["ceil"] for path in ("y.~maxpool", "z")] == [False, True]


TYPED = """
    block b (n as int, p as number = 0.5, act as op = none, w = relu, f = yes, k = 3x3, l = [1, 2], s as size = 1)
      c: conv k, n, stride s
      act
      w
      dropout p when f
      d: conv 1x1, l[1]
"""


def test_parameters_have_types() -> None:
    found = net("a: b 4\nb: b 4.0, act gelu, w sigmoid, f = no, k 5x5, l = [7, 8], s 2", head=TYPED, input="4x16x16")
    assert layers(found) == [
        *("a.c conv", "a.~relu relu", "a.~dropout dropout", "a.d conv"),
        *("b.c conv", "b.~gelu gelu", "b.~sigmoid sigmoid", "b.d conv"),
    ]
    assert weights(found)["b.c.weight"] == (4, 2, 5, 5)
    assert weights(found)["b.d.weight"] == (8, 4, 1, 1)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("4.5", "wrong-type"),
        ("x", "unknown-name"),
        ("4, p yes", "wrong-type"),
        ("4, f 1", "wrong-type"),
        ("4, l 5", "wrong-type"),
        ("4, act 3", "wrong-type"),
        ("4, act nothing", "unknown-op"),
        ("", "missing-value"),
        ("4, zz 5", "unknown-setting"),
        ("4, p 0.1, p 0.2", "repeated-setting"),
        ("4, act relu6(x = 3)", "unknown-setting"),
    ],
)
def test_arguments_that_cant_be(arguments: str, code: str) -> None:
    assert refused(f"a: b {arguments}", head=TYPED, input="4x16x16") == [code]


def test_an_op_as_value_may_carry_settings_and_none_takes_no_number() -> None:
    head = "block b (norm as op = none, act = relu)\n  conv 1x1, 4\n  norm\n  act"
    found = net("f:\n  b\n  b norm batchnorm(eps = 0.25), act = none", head=head)
    assert layers(found) == ["f.0.0 conv", "f.0.1 relu", "f.1.0 conv", "f.1.1 batchnorm"]
    assert _setting(found, "f.1.1", "eps") == 0.25


def _setting(found: Net, path: str, name: str) -> Any:
    (leaf,) = (leaf for leaf in leaves(found.scope) if leaf.path == path)
    return getattr(leaf.step.op, name)


def test_settings_are_looked_up_from_the_call_outwards() -> None:
    head = """
        default conv pad same, bias no
        default batchnorm eps 0.25
        block b
          default conv bias yes
          c: conv 3x3, 2
          d: inner
        block inner
          c: conv 3x3, 2
          n: batchnorm
          m: batchnorm eps 0.5
    """
    found = net("c: conv 3x3, 3, pad 0\nx: b\ndw: dwconv 3x3\nt: conv_transpose 2x2, 3", head=head)
    biases = {key for key in weights(found) if key.endswith(".bias") and "conv" not in key}
    assert biases == {"x.c.bias", "x.d.n.bias", "x.d.m.bias", "t.bias"}  # a block's default isn't handed on
    assert [_setting(found, path, "pad") for path in ("c", "x.c", "dw")] == [0, "same", "same"]
    assert [_setting(found, path, "eps") for path in ("x.d.n", "x.d.m")] == [0.25, 0.5]


def test_an_ops_own_default_hides_its_familys() -> None:
    found = net("dw: dwconv 3x3", head="default conv bias no, pad same\ndefault dwconv pad 0")
    assert _setting(found, "dw", "pad") == 0
    assert "dw.bias" in weights(found)


def inits(found: Net) -> dict[str, Init]:
    return {f"{leaf.path}.{weight}": init for leaf in leaves(found.scope) for weight, init in leaf.step.inits}


def test_weights_are_drawn_by_the_nearest_rule() -> None:
    head = """
        init conv weight kaiming_normal(fan_out), bias 0
        init linear weight uniform(1 / sqrt(out))
        init dwconv weight normal(2 / fan_in)
        block b
          init conv weight zeros
          c: conv 1x1, 2
          d: inner
        block inner
          c: conv 1x1, 2
    """
    body = """
        c: conv 3x3, 3, init_weight trunc_normal(0.5)
        x: b
        t: conv_transpose 2x2, 3
        dw: dwconv 2x2
        flatten
        fc: linear 16
        fd: linear 4, init_weight xavier_uniform, init_bias ones
    """
    assert inits(net(body, head=head)) == {
        "c.weight": Init("trunc_normal", (0.5,)),
        "c.bias": Init("constant", (0,)),
        "x.c.weight": Init("zeros"),
        "x.c.bias": Init("constant", (0,)),
        "x.d.c.weight": Init("kaiming_normal", ("fan_out",)),
        "x.d.c.bias": Init("constant", (0,)),
        "t.weight": Init("kaiming_normal", ("fan_out",)),
        "t.bias": Init("constant", (0,)),
        "dw.weight": Init("normal", (0.5,)),
        "fc.weight": Init("uniform", (0.25,)),
        "fd.weight": Init("xavier_uniform"),
        "fd.bias": Init("ones"),
    }


# Structure is decided with H and W unknown, also when the input is concrete.
@pytest.mark.parametrize(
    "body",
    [
        "c: conv 1x1, 3 when here.height > 4",
        "let n = here.height // 4\nrepeat n\n  c{i}: conv 1x1, 3",
        "c{here.height}: conv 1x1, 3",
        "c: conv 1x1, 3 if here.height > 3 else 4",
        "let l = [1, 2, 3]\nc: conv 1x1, l[here.height // 8]",
        "flatten\nfc: linear 3 when here.channels > 10",
        "x: b here.height",
        "dense here.width\n  l{i}: relu",
        "for k in 1..here.width\n  l{k}: relu",
    ],
)
@pytest.mark.parametrize("input", ["4x8x8", "4xHxW"])
def test_structure_never_depends_on_the_inputs_size(body: str, input: str) -> None:
    assert refused(body, head="block b (n)\n  repeat n\n    c{i}: relu", input=input) == ["symbolic-structure"]


def test_parameters_and_what_follows_flatten_may_depend_on_the_inputs_size() -> None:
    body = "add\n  - skip\n  - pos: parameter [4, here.height, here.width]\nflatten\nfc: linear 3"
    assert weights(net(body)) == {"pos": (4, 8, 8), "fc.weight": (3, 256), "fc.bias": (3,)}
    assert refused(body, input="4xHxW") == ["symbolic-weight"]
    # Statistics are no weights, and have a size all the same.
    assert refused("flatten\nbatchnorm affine no", input="4xHxW") == ["symbolic-weight"]


def test_what_an_op_or_block_carries_counts_as_given() -> None:
    head = """
        block unit (width, times = 2)
          c: conv 1x1, width * times
        block b (layer = conv(3x3, bias = no), inner = unit(times = 3))
          a: layer 5, pad same
          k: inner 4
          j: inner 4, times 1
    """
    found = net("x: b\ny: b layer = conv(stride = 2, kernel = 1x1), inner = unit(times = 1)", head=head)
    assert outs(found) == {"x.a": 5, "x.k.c": 12, "x.j.c": 4, "y.a": 5, "y.k.c": 4, "y.j.c": 4}


@pytest.mark.parametrize(
    ("value", "code"),
    [("unit(zz = 3)", "unknown-setting"), ("unit(1, 2, 3)", "unknown-setting"), ("unit(1, 2)", "surplus-value")],
)
def test_what_a_block_cant_carry(value: str, code: str) -> None:
    head = f"block unit (width, times = 2)\n  c: conv 1x1, width\nblock b (inner = {value})\n  k: inner 4"
    assert refused("x: b", head=head) == [code]


def test_a_default_is_for_settings_only() -> None:
    assert refused("c: conv 3x3, 4", head="default conv out 5") == ["unknown-setting"]


@pytest.mark.parametrize(
    "expression",
    [
        "here.height / 2",
        "here.height ** 2",
        "here.height // here.width",
        "here.height // 0",
        "here.height // (0 - 2)",
        "here.height % 0",
        "here.height * 0.5",
        "here.height - 0.5",
        "3 // here.height",
    ],
)
def test_what_isnt_done_with_sizes_of_the_input(expression: str) -> None:
    assert refused(f"add\n  - skip\n  - pos: parameter [4, {expression}, here.width]") == ["bad-value"]


@pytest.mark.parametrize(
    ("expression", "size"),
    [
        ("here.height + 1", 9),
        ("3 * here.height - 20", 4),
        ("20 - here.height", 12),
        ("here.height // 3", 2),
        ("here.height % 3", 2),
        ("here.height * here.width", 64),
    ],
)
def test_what_is_done_with_sizes_of_the_input(expression: str, size: int) -> None:
    body = f"concat along height\n  - skip\n  - pos: parameter [4, {expression}, here.width]"
    assert weights(net(body))["pos"] == (4, size, 8)


def test_an_op_is_no_number() -> None:
    """Nor is it taken for a misspelt variable, as another word is."""
    assert refused("x: b", head="block b (act = relu)\n  repeat act\n    relu") == ["bad-value"]
    assert refused("x: b", head="block b (act = relux)\n  repeat act\n    relu") == ["unknown-name"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("for k in 1.5..3\n  c{k}: relu", "a range's start must be a whole number"),
        ("for k in 1..3.5\n  c{k}: relu", "a range's end must be a whole number"),
        ("let l = [1, 2][0.5:]", "a slice's start must be a whole number"),
        ("let l = [1, 2][:0.5]", "a slice's end must be a whole number"),
        ("repeat 1.5\n  relu", "the number of repetitions must be a whole number"),
        ("a: 1.5 x relu", "the number of repetitions must be a whole number"),
        ("for k in here.height..9\n  c{k}: relu", "a range's start depends on the size of the input (`H`)"),
        ("m conv", "`stride` of `conv` needs a value"),
        ("x: b 4, p", "`p` of `b` needs a value"),
        ("x: b 4, p yes", "`p` of `b` is of type number"),
        ("x: b 4, f 3", "`f` of `b` is of type bool"),
        ("let s = yes\nconv 3x3, 8, stride s", "`stride` of `conv` can't be yes"),
    ],
)
def test_messages_name_what_is_wrong(body: str, message: str) -> None:
    head = "block b (n as int, p as number = 0.5, f = yes)\n  conv 1x1, n\n  dropout p when f\n"
    with pytest.raises(SpecError) as caught:
        net(body, head=f"{head}macro m (layer)\n  c: layer 3x3, 8, stride")
    assert message in render(caught.value.diagnostics)
