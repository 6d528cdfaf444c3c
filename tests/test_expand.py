"""What each construct of the language expands to: the names of its steps, and the shapes of its weights."""

from __future__ import annotations

import pytest
from network_facts import layers, net, output, outs, params, refused, shape_at, weights

from archdsl.ir import CallStep


def test_loops_bind_their_index_first_and_last() -> None:
    body = "repeat 2 as j\n  repeat 3\n    c{j}{i}: conv 1x1, 10 if first else 30 if last else 20"
    assert outs(net(body)) == {"c00": 10, "c01": 20, "c02": 30, "c10": 10, "c11": 20, "c12": 30}


def test_a_table_binds_its_columns_row_and_rows() -> None:
    body = """
        for c in [5, 6]
          for k n
            1 2
            3 4
          do
            c{c}r{row}of{rows}: conv k, n, pad same
    """
    found = weights(net(body))
    assert [found[f"{name}.weight"] for name in ("c5r0of2", "c5r1of2", "c6r0of2", "c6r1of2")] == [
        *((2, 4, 1, 1), (4, 2, 3, 3), (2, 4, 1, 1), (4, 2, 3, 3)),
    ]


def test_a_tables_cell_may_hold_an_op_and_none_vanishes() -> None:
    body = "f:\n  for c act\n    8 relu\n    9 none\n    10 hardswish\n  do\n    conv 1x1, c\n    act"
    assert layers(net(body)) == ["f.0 conv", "f.1 relu", "f.2 conv", "f.3 conv", "f.4 hardswish"]


def test_for_unpacks_a_list_of_lists() -> None:
    body = "f:\n  for n, c in [[1, 8], [2, 16]]\n    repeat n\n      conv 1x1, c"
    assert outs(net(body)) == {"f.0": 8, "f.1": 16, "f.2": 16}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("for n, c in [[1, 8], [2]]\n  x{c}: conv 1x1, c", "bad-value"),
        ("for n in 4..1\n  x{n}: conv 1x1, n", "bad-value"),
        ("for n in 3\n  x{n}: conv 1x1, n", "bad-value"),
        ("repeat 1.5\n  relu", "bad-value"),
        ("repeat -1\n  relu", "bad-value"),
    ],
)
def test_loops_that_cant_be(body: str, code: str) -> None:
    assert refused(body) == [code]


def test_dense_concatenates_the_input_and_all_results() -> None:
    found = net("dense 3\n  l{i}: conv 3x3, 2, pad same\nf:\n  dense 2 as k\n    conv 1x1, 3 + k\n    relu")
    shapes = weights(found)
    assert [shapes[f"l{k}.weight"][:2] for k in range(3)] == [(2, 4), (2, 6), (2, 8)]
    assert shapes["f.0.weight"][:2] == (3, 10)
    assert shapes["f.2.weight"][:2] == (4, 13)
    assert output(found) == (17, 8, 8)


def test_no_dense_layer_is_the_identity() -> None:
    assert output(net("dense 0\n  l: conv 1x1, 2\nc: conv 1x1, here.channels")) == (4, 8, 8)


RESIDUAL = """
    block r (width, stride = 1)
      residual
        conv1: conv 3x3, width, stride, pad same
      shortcut down:
        conv 1x1, width, stride
"""


def test_a_shortcut_is_built_where_channels_or_stride_change() -> None:
    found = layers(net("a: r 4\nb: r 8\nc: r 8, 2\nd: r 8", head=RESIDUAL))
    assert [name for name in found if "down" in name] == ["b.down.0 conv", "c.down.0 conv"]


def test_a_shortcut_follows_its_condition() -> None:
    body = """
        residual
          c1: conv 1x1, 4
        shortcut s1: when yes
          conv 1x1, 4
        residual
          c2: conv 1x1, 4
        shortcut s2: when here.channels != 4
          conv 1x1, 4
        residual
          c3: conv 1x1, 8
        shortcut when here.channels == 8
        residual
          c4: conv 1x1, 8
        shortcut when input.channels == 4
        residual when no
          c5: conv 1x1, 8
    """
    steps = [layer.split()[0] for layer in layers(net(body))]
    assert steps == ["c1", "s1.0", "~add", "c2", "~add2", "c3", "c4", "~add3"]


def test_an_unlabelled_shortcut_joins_the_container() -> None:
    body = "f:\n  residual\n    conv 1x1, 8\n  shortcut\n    conv 1x1, 8\n  conv 1x1, 2"
    assert layers(net(body)) == ["f.0 conv", "f.1 conv", "f.~add add", "f.2 conv"]


def test_hes_shortcut_without_parameters() -> None:
    head = """
        block b (width, stride = 1)
          residual
            conv1: conv 3x3, width, stride, pad same
          shortcut
            maxpool 1x1, stride 2
            pad (width - input.channels)//2, (width - input.channels)//2, along channels
    """
    found = net("a: b 8, 2\nb: b 8", head=head)
    steps = [layer.split()[0] for layer in layers(found)]
    assert steps == ["a.conv1", "a.~maxpool", "a.~pad", "a.~add", "b.conv1", "b.~add"]
    assert output(found) == (8, 4, 4)


def test_the_stride_of_a_gated_branch_is_known() -> None:
    head = """
        block se (squeeze)
          multiply
            - skip
            - avgpool to 1x1
              fc1: conv 1x1, squeeze
              relu
              fc2: conv 1x1, input.channels
              sigmoid
        block r (width, stride = 1)
          residual
            c: conv 3x3, width, stride, pad same
            se: se 2
          shortcut down:
            conv 1x1, width, stride
    """
    found = net("a: r 4\nb: r 4, 2", head=head)
    assert "b.down.0 conv" in layers(found)
    assert "a.down.0 conv" not in layers(found)
    assert shape_at(found, "b.se.fc2") == (4, 1, 1)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("residual\n  c: conv 1x1, 8", "shape-mismatch"),
        ("residual\n  c: conv 1x1, 4\n  upsample to input\nshortcut d:\n  conv 1x1, 4", "unknown-stride"),
        ("add\n  - a: conv 1x1, 4\n  - b: conv 1x1, 5", "shape-mismatch"),
        ("add\n  - a: conv 1x1, 4 when no\n  - b: conv 1x1, 4 when no", "bad-value"),
    ],
)
def test_joins_that_cant_be(body: str, code: str) -> None:
    assert refused(body) == [code]


def test_guards_drop_steps_and_branches() -> None:
    body = """
        x: conv 1x1, 2 -> relu when no
        y: conv 1x1, 3 when no -> relu
        add
          - c: conv 1x1, 4
          - d: conv 1x1, 4 when no
        concat when no
          - e: conv 1x1, 4
          - skip
        add
          - f: conv 1x1, 4
          - g: when no
              conv 1x1, 4
          - residual when no
              h: conv 1x1, 4
        group when no
          conv 1x1, 4
    """
    assert layers(net(body)) == ["x.0 conv", "y.0 relu", "c conv", "f conv"]


def test_outputs_exist_in_their_modes() -> None:
    body = """
        c: conv 1x1, 8
        output one when training and aux
          h: conv 1x1, 2
        output two
          k: conv 1x1, 3
        output three when not training
          m: conv 1x1, 4
        output four when no
          n: conv 1x1, 5
        d: conv 1x1, 9
        output main
    """
    found = net(body, aux="yes")
    assert [tuple(one) for one in found.outputs] == [
        *(("main", 0, "always"), ("one", 1, "training"), ("two", 2, "always"), ("three", 3, "eval")),
    ]
    assert outs(found) == {"c": 8, "h": 2, "k": 3, "m": 4, "d": 9}
    assert weights(found)["d.weight"] == (9, 8, 1, 1)  # the main line went on with the old tensor
    assert [one.name for one in net(body, aux="no").outputs] == ["main", "two", "three"]


def test_returns_orders_the_outputs() -> None:
    found = net("returns x, main, y\noutput x\n  h: conv 1x1, 2\noutput y\n  k: conv 1x1, 3\nd: conv 1x1, 9")
    assert [(one.name, one.result) for one in found.outputs] == [("x", 1), ("main", 0), ("y", 2)]


def test_a_blocks_output_is_the_networks() -> None:
    head = "block b\n  c: conv 1x1, 8\n  output side\n    h: conv 1x1, 2"
    found = net("x: b\ny: conv 1x1, 3", head=head)
    assert [one.name for one in found.outputs] == ["out", "side"]
    assert outs(found) == {"x.c": 8, "x.h": 2, "y": 3}
    assert refused("x: b\ny: b", head=head) == ["outputs"]


def test_from_continues_from_an_earlier_step() -> None:
    body = """
        s: conv 1x1, 7
        backbone:
          l1: conv 3x3, 8, stride 2, pad same
          l2: conv 3x3, 16, stride 2, pad same
          sub:
            from s
            conv 1x1, 2
            relu
        concat
          - from backbone.l1
            maxpool 2x2
          - from backbone.l2
        j: conv 1x1, @backbone.sub.0.channels
        from backbone.sub.1
        h: conv 1x1, @backbone.l1.channels
    """
    shapes = weights(net(body))
    assert shapes["backbone.sub.0.weight"] == (2, 7, 1, 1)
    assert shapes["j.weight"] == (2, 24, 1, 1)
    assert shapes["h.weight"] == (8, 2, 1, 1)


def test_from_reaches_into_loops_and_blocks() -> None:
    head = "block b\n  a: conv 1x1, 5\n  c: conv 1x1, 6"
    body = "repeat 6\n  x{i}: conv 1x1, 4 + i\nfrom x3\ny: b\nfrom y.a\nz: conv 1x1, 1\nfrom y.c\nw: conv 1x1, 1"
    shapes = weights(net(body, head=head))
    assert [shapes[f"{key}.weight"][1] for key in ("y.a", "z", "w")] == [7, 5, 6]


@pytest.mark.parametrize(
    ("body", "head"),
    [
        ("from y\ny: conv 1x1, 2", ""),
        ("s: conv 1x1, 7\nx: b", "block b\n  from s\n  conv: conv 1x1, 3"),
        ("s: conv 1x1, 7\nfrom s.t", ""),
    ],
)
def test_from_sees_earlier_steps_of_its_own_block_only(body: str, head: str) -> None:
    assert refused(body, head=head) == ["unknown-step"]


def test_a_macros_from_sees_the_callers_steps() -> None:
    found = net("s: conv 1x1, 7\nt: conv 1x1, 8\nm", head="macro m\n  from s\n  k: conv 1x1, 3")
    assert weights(found)["k.weight"] == (3, 7, 1, 1)


def test_a_step_is_an_argument() -> None:
    head = """
        block join (out, other as step)
          concat
            - from other
            - skip
          d: conv 1x1, out + other.channels
        block outer (other as step)
          b: join 1, other
          g:
            h: join 2, other
    """
    body = """
        s: conv 1x1, 7
        x: join 5, s
        g:
          l: conv 1x1, 3
          y: join 5, other = s
        z: join 1, @g.l
        w: outer @g.y
    """
    shapes = {key: shape[:2] for key, shape in weights(net(body, head=head)).items() if key.endswith("weight")}
    assert shapes == {
        "s.weight": (7, 4),
        "x.d.weight": (12, 14),
        "g.l.weight": (3, 12),
        "g.y.d.weight": (12, 10),
        "z.d.weight": (4, 15),
        "w.b.d.weight": (13, 16),
        "w.g.h.d.weight": (14, 25),
    }


def test_an_unused_module_counts_and_the_line_goes_on() -> None:
    found = net("c: conv 1x1, 2\nflatten\nunused dead: linear 7\nfc: linear 3", input="4x2x2")
    assert weights(found)["dead.weight"] == (7, 8)
    assert weights(found)["fc.weight"] == (3, 8)
    assert params(found) == 4 * 2 + 2 + 8 * 7 + 7 + 8 * 3 + 3


def test_equal_scopes_are_one_object() -> None:
    body = "group\n  conv 1x1, 4\ngroup\n  conv 1x1, 4\nb\nb"
    found = net(body, head="block b\n  c: conv 1x1, 4").scope.steps
    first, second, third, fourth = (step.scope for step in found if isinstance(step, CallStep))
    assert first is second
    assert third is fourth
    assert first is not third
