"""Attention and windows against torchvision's and PyTorch's own modules: outputs, gradients, buffers, first values."""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

import pytest
import torch
from peers import _install
from test_memory import agree
from test_ops import build
from torch import Tensor, nn

import archdsl
from archdsl.dims import at, variable
from archdsl.ops import BY_NAME
from archdsl.ops.base import OpError
from archdsl.shape import Shape, image

MAP, PARTS, TOKENS = ("height", "width", "channels"), ("windows", "tokens", "channels"), ("tokens", "channels")


def torchvision(file: str, name: str) -> Any:
    _install()
    return getattr(import_module(f"torchvision.models.{file}"), name)


def ours(name: str, shape: Shape, **settings: Any) -> nn.Module:
    """The module that an op is spelled as."""
    return build(BY_NAME[name](**settings).lower((shape,))).module


def assert_same(mine: nn.Module, theirs: nn.Module, x: Tensor) -> None:
    """Equal outputs to the last bit with the other's weights, and gradients but for the order of summation."""
    known = dict(theirs.named_buffers())
    assert all(torch.equal(buffer, known[key]) for key, buffer in mine.named_buffers())
    with torch.no_grad():
        for weight in theirs.parameters():
            weight.normal_(std=0.3)
    mine.load_state_dict(theirs.state_dict())
    given = [x.clone().requires_grad_() for _ in range(2)]
    outputs = [mine(given[0]), theirs(given[1])]
    assert torch.equal(*outputs)
    for out in outputs:
        out.square().sum().backward()
    torch.testing.assert_close(given[0].grad, given[1].grad)
    for key, weight in theirs.named_parameters():
        torch.testing.assert_close(mine.get_parameter(key).grad, weight.grad, msg=key)


@pytest.mark.parametrize(("rows", "columns"), [(8, 12), (7, 9), (4, 9), (3, 2), (4, 4), (1, 5)])
@pytest.mark.parametrize("shift", [(0, 0), (2, 2), (1, 0), (3, 1)])
@pytest.mark.parametrize("version", ["", "V2"])
def test_windows_are_those_of_swin(version: str, shift: tuple[int, int], rows: int, columns: int) -> None:
    """Whole windows, padded ones, and maps that one window covers along one axis or both."""
    torch.manual_seed(0)
    theirs = torchvision("swin_transformer", f"ShiftedWindowAttention{version}")(12, [4, 3], list(shift), 3)
    shape = Shape(MAP, (rows, columns, 12))
    name = "window_attention_v2" if version else "window_attention"
    if shift[1] >= 3:
        return
    mine = ours(name, shape, heads=3, window=(4, 3), shift=shift)
    assert_same(mine, theirs, torch.randn(2, rows, columns, 12))


def test_cosines_have_no_bias_of_the_keys() -> None:
    mine = ours("window_attention_v2", Shape(MAP, (4, 4, 8)), heads=2, window=4)
    x = torch.randn(1, 4, 4, 8)
    before = mine(x)
    with torch.no_grad():
        mine.get_parameter("qkv.bias")[8:16] += 1
        assert torch.equal(mine(x), before)
        mine.get_parameter("qkv.bias")[:8] += 1
        assert not torch.equal(mine(x), before)


def test_a_window_of_one_position_has_finite_offsets() -> None:
    mine = ours("window_attention_v2", Shape(MAP, (2, 3, 8)), heads=2, window=1)
    assert torch.equal(mine.get_buffer("relative_coords_table"), torch.zeros(1, 1, 1, 2))
    assert mine(torch.randn(1, 2, 3, 8)).isfinite().all()


@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("training", [True, False])
def test_attention_is_that_of_pytorch(heads: int, training: bool) -> None:
    class Theirs(nn.MultiheadAttention):
        def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
            return super().forward(x, x, x)[0]

    torch.manual_seed(0)
    theirs = Theirs(12, heads, batch_first=True).train(training)
    mine = ours("attention", Shape(TOKENS, (7, 12)), heads=heads).train(training)
    with torch.no_grad():
        for weight in theirs.parameters():
            weight.normal_(std=0.3)
    mine.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 7, 12)
    # Theirs computes the weights to return them, ours asks for the product at once.
    torch.testing.assert_close(mine(x), theirs(x))


@pytest.mark.parametrize("parts", ["window", "grid"])
@pytest.mark.parametrize("side", [6, 12, 3])
def test_partitions_are_those_of_maxvit(parts: str, side: int) -> None:
    """With torchvision's whole layer: cut, attention and MLP, put together."""
    torch.manual_seed(0)
    layer = torchvision("maxvit", "PartitionAttentionLayer")(
        8, 4, 3, parts, (side, side), 2, nn.GELU, nn.LayerNorm, 0.0, 0.0, 0.0
    )
    body = f"""
block layer (parts)
  partition parts, 3
  residual
    attn_layer:
      layernorm
      relative_attention 4, 3
  residual
    mlp_layer:
      layernorm
      linear 16
      gelu
      linear 8
  unpartition parts, 3, like input

net n
  input 8x{side}x{side}
  a: layer {parts}
"""
    mine = archdsl.loads(body).build().get_submodule("a")
    assert_same(mine, layer, torch.randn(2, 8, side, side))


@pytest.mark.parametrize("parts", ["window", "grid"])
def test_partitions_of_a_map_that_is_no_square(parts: str) -> None:
    x = torch.arange(2 * 6 * 8).view(1, 2, 6, 8)
    cut = ours("partition", image(2, 6, 8), parts=parts, size=(3, 2))(x)
    assert cut.shape == (1, 8, 6, 2)
    first = cut[0, 0, :, 0].tolist()
    rows, columns = ([0, 1, 2], [0, 1]) if parts == "window" else ([0, 2, 4], [0, 4])
    assert first == [8 * row + column for row in rows for column in columns]
    back = BY_NAME["unpartition"](parts=parts, size=(3, 2), like=image(2, 6, 8))
    assert torch.equal(build(back.lower((Shape(PARTS, (8, 6, 2)), image(2, 6, 8)))).module(cut, x), x)


@pytest.mark.parametrize(("rows", "columns"), [(4, 6), (5, 6), (4, 7), (1, 1)])
def test_merged_patches_are_those_of_swin(rows: int, columns: int) -> None:
    x = torch.randn(2, rows, columns, 5)
    mine = ours("patch_merge", Shape(MAP, (rows, columns, 5)))
    assert torch.equal(mine(x), torchvision("swin_transformer", "_patch_merging_pad")(x))


REFUSED: list[tuple[str, dict[str, Any], tuple[Shape, ...], str]] = [
    ("attention", {"heads": 3}, (Shape(TOKENS, (4, 8)),), "heads"),
    ("window_attention", {"heads": 3, "window": 2}, (Shape(MAP, (4, 4, 8)),), "heads"),
    ("window_attention", {"heads": 2, "window": 2, "shift": 2}, (Shape(MAP, (4, 4, 8)),), "shift"),
    ("relative_attention", {"head_dim": 3, "size": 2}, (Shape(PARTS, (4, 4, 8)),), "head_dim"),
    ("relative_attention", {"head_dim": 4, "size": 3}, (Shape(PARTS, (4, 4, 8)),), "size"),
    ("partition", {"parts": "window", "size": 7}, (image(3, 14, 8),), "size"),
    ("unpartition", {"parts": "grid", "size": 2, "like": image(3, 4, 6)}, (Shape(PARTS, (4, 4, 8)),) * 2, "size"),
    ("unpartition", {"parts": "grid", "size": 2, "like": image(3, 4)}, (Shape(PARTS, (4, 4, 8)),) * 2, "like"),
]


@pytest.mark.parametrize(("name", "settings", "inputs", "wrong"), REFUSED)
def test_what_does_not_fit_is_told_at_its_setting(
    name: str, settings: dict[str, Any], inputs: tuple[Shape, ...], wrong: str
) -> None:
    with pytest.raises(OpError) as caught:
        BY_NAME[name](**settings).infer(inputs)
    assert caught.value.setting == wrong


@pytest.mark.parametrize("size", ["7x7x7", "[1, 2, 3]"])
def test_a_window_has_two_sides(size: str) -> None:
    with pytest.raises(archdsl.SpecError) as caught:
        archdsl.loads(f"net n\n  input 8x14x14\n  layout NHWC\n  window_attention 2, {size}\n")
    (told,) = caught.value.diagnostics
    assert told.text(told.expected) == "one number of at least 1, or height and width such as 7x7"


def test_padded_windows_count_at_every_size() -> None:
    """MACs of a symbolic map are those of each concrete one, whole windows or not."""
    op = BY_NAME["window_attention"](heads=2, window=(4, 3), shift=1)
    open_size = op.infer((Shape(MAP, (variable("H"), variable("W"), 8)),))
    for rows in range(1, 10):
        for columns in range(1, 10):
            fixed = op.infer((Shape(MAP, (rows, columns, 8)),))
            positions = math.ceil(rows / 4) * math.ceil(columns / 3) * 12
            assert fixed.macs == positions * (4 * 8 * 8 + 2 * 12 * 8)
            assert at(open_size.macs, {"H": rows, "W": columns}) == fixed.macs


SPEC = """
init linear  weight trunc_normal(0.02), bias 0
net n
  input 16x8x8
  layout NHWC
  {line}
"""
WINDOW = "window_attention 4, 4, init_relative_position_bias_table normal(0.5)"


def test_first_values() -> None:
    """Linears inside follow `linear`; tables, scales and PyTorch's own attention have their own ways."""
    for line, spread in (("window_attention 4, 4", 0.02), (WINDOW, 0.5)):
        table = weights(SPEC.format(line=line))["1.relative_position_bias_table"]
        assert float(table.std()) == pytest.approx(spread, rel=0.2)
    v2 = weights(SPEC.format(line="window_attention_v2 4, 4"))
    assert torch.equal(v2["1.logit_scale"], torch.full((4, 1, 1), math.log(10)))
    for key in ("1.qkv", "1.proj", "1.cpb_mlp.0", "1.cpb_mlp.2"):
        assert float(v2[f"{key}.weight"].std()) == pytest.approx(0.02, rel=0.2)
        assert not v2.get(f"{key}.bias", torch.zeros(1)).any()
    own = weights(SPEC.format(line="tokens -> attention 4"))
    known = nn.MultiheadAttention(16, 4)
    for key, weight in own.items():
        reference = known.get_parameter(key.split(".", 1)[1])
        assert float(weight.std()) == pytest.approx(float(reference.detach().std()), rel=0.2)


def weights(text: str) -> dict[str, Tensor]:
    return {key: weight.detach() for key, weight in archdsl.loads(text).build(seed=0).named_parameters()}


@pytest.mark.parametrize("line", ["attention 4, init normal(1)", "window_attention 4, 4, init_weight normal(1)"])
def test_an_initialisation_of_no_weight_is_refused(line: str) -> None:
    with pytest.raises(archdsl.SpecError) as caught:
        archdsl.loads(SPEC.format(line=f"tokens -> {line}" if line.startswith("att") else line))
    assert caught.value.diagnostics[0].code == "unknown-scheme"


@pytest.mark.parametrize("name", ["swin_t", "swin_v2_t"])
def test_memory_of_swin(name: str) -> None:
    torch.manual_seed(0)
    agree(archdsl.load(name, input="3x68x52"))


def test_what_maxvit_asks_of_its_input() -> None:
    """Every stage must be cut into sevens, whose sizes are rounded up: 221 to 224, 445 to 448, and so on."""
    found = archdsl.load("maxvit_t", input="3xHxW").requirements()
    assert found.smallest == {"H": 221, "W": 221}
    assert found.rules == tuple(
        f"{axis} must leave a remainder of 0 or 221 to 223 when divided by 224" for axis in "HW"
    )


def test_swin_takes_every_size_of_a_patch_and_more() -> None:
    found = archdsl.load("swin_t", input="3xHxW").requirements()
    assert (found.smallest, found.rules, found.undecided) == ({"H": 4, "W": 4}, (), ())


def test_the_receptive_field_of_shifted_windows() -> None:
    """A window of 7 patches of 4 pixels; shifted ones reach into two; the dependence is tried on the module."""
    text = "net n\n  input 4x12x12\n  layout NHWC\n  a: window_attention 1, 3\n  b: window_attention 1, 3, shift 1\n"
    network = archdsl.loads(text)
    rows = {row["path"]: row["receptive_field"] for row in network.to_json()["layers"]}
    assert (rows["a"], rows["b"]) == ([3, 3], [6, 6])
    module = network.build(seed=0).double()
    with torch.no_grad():
        for weight in module.parameters():
            weight.fill_(0.1)
    x = torch.rand(1, 4, 12, 12, dtype=torch.double, requires_grad=True)
    (grad,) = torch.autograd.grad(module(x)[0, 5, 5].sum(), x)
    seen = (grad.abs() > 1e-9).nonzero()
    assert {int(row) for row in seen[:, 2]} == set(range(3, 9))


def test_a_block_named_like_a_class_of_ours_gets_another_name() -> None:
    text = "block shifted_windows\n  a: window_attention 2, 2\nnet n\n  input 8x4x4\n  layout NHWC\n  shifted_windows\n"
    source = archdsl.loads(text).source
    assert "class ShiftedWindows(nn.Module):" in source
    assert "class ShiftedWindows2(nn.Module):" in source
    assert archdsl.loads(text).build()(torch.randn(1, 8, 4, 4)).shape == (1, 4, 4, 8)


def test_the_position_embedding_fixes_the_size_of_a_vit() -> None:
    """With an open size there are no weights to build; each size has its own."""
    with pytest.raises(archdsl.SpecError) as caught:
        archdsl.load("vit_b_16", input="3xHxW")
    (told,) = caught.value.diagnostics
    assert (told.code, told.path[-1]) == ("symbolic-weight", "pos_embedding")
    for side, tokens in ((224, 197), (384, 577)):
        module = archdsl.load("vit_b_16", input=f"3x{side}x{side}").build(device="meta")
        assert module.get_parameter("encoder.pos_embedding").shape == (1, tokens, 768)
    with pytest.raises(RuntimeError):
        module(torch.empty(1, 3, 224, 224, device="meta"))
