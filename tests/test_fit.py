"""Which tensors of a file are which of a network's: old names, side heads, new heads, and networks cut short."""

from __future__ import annotations

import re
from typing import Any

import pytest
from torch import Tensor

import archdsl
from archdsl.analysis.fit import Held, fit
from archdsl.analysis.state import Entry, state_dict
from archdsl.emit.fit import told
from archdsl.runtime.checkpoint import Checkpoint
from archdsl.runtime.weights import Misfit, match

State = dict[str, Tensor]


def described(name: str, **params: Any) -> State:
    """Weights of the right names and shapes, without numbers."""
    return dict(archdsl.load(name, **params).build(device="meta").state_dict())


def old_names(state: State) -> State:
    """As torchvision's files spell them: read by the very expression of its own loader."""
    pattern = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))([12])(\..*)$")
    return {pattern.sub(r"\1.\2\3", key): value for key, value in state.items() if "num_batches" not in key}


def test_densenet_s_old_names_are_read() -> None:
    state = described("densenet121")
    old = old_names(state)
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    _, fit = match(archdsl.load("densenet121"), Checkpoint("old.pth", old))
    assert fit.good
    assert fit.old == 58 * (2 + 2 * 4)  # layers; two convolutions, two norms of four tensors
    assert {key: old[theirs].shape for key, theirs in fit.taken.items()} == {
        key: value.shape for key, value in state.items() if "num_batches" not in key
    }
    assert "580 old names" in told(fit)


def test_the_transformer_s_old_names_are_read() -> None:
    spec = """\
net old
  input 3x1x1
  flatten
  encoder_layer_0:
    mlp:
      0: linear 4
      3: linear 5
"""
    network = archdsl.loads(spec)
    state = dict(network.build(seed=0).state_dict())
    old = {key.replace("mlp.0", "mlp.linear_1").replace("mlp.3", "mlp.linear_2"): v for key, v in state.items()}
    _, fit = match(network, Checkpoint("old.pth", old))
    assert fit.taken["encoder_layer_0.mlp.0.weight"] == "encoder_layer_0.mlp.linear_1.weight"
    assert fit.taken["encoder_layer_0.mlp.3.bias"] == "encoder_layer_0.mlp.linear_2.bias"


def test_a_network_whose_own_names_start_like_a_wrapper_s_keeps_them() -> None:
    network = archdsl.loads("net a\n  input 3x8x8\n  module:\n    conv: conv 3x3, 4\n")
    _, fit = match(network, Checkpoint("a.pth", dict(network.build().state_dict())))
    assert fit.wrapper == ""


def test_side_heads_that_aren_t_built_may_be_in_the_file() -> None:
    full = described("googlenet")
    for aux in (True, False):
        network = archdsl.load("googlenet", aux=aux)
        _, fit = match(network, Checkpoint("googlenet.pth", full))
        assert list(fit.taken) == list(state_dict(network.net) or ())
        assert {key.partition(".")[0] for key in fit.spare} == (set() if aux else {"aux1", "aux2"})
    assert "not needed here: aux1.*, aux2.* (20 tensors)" in told(fit)


def test_side_heads_that_the_file_lacks_are_missing_and_the_way_out_is_told() -> None:
    bare = {key: value for key, value in described("googlenet").items() if not key.startswith("aux")}
    with pytest.raises(Misfit, match=r"aux1\.\*") as caught:
        match(archdsl.load("googlenet"), Checkpoint("bare.pth", bare))
    assert "--set aux=no" in caught.value.help
    _, fit = match(archdsl.load("googlenet", aux=False), Checkpoint("bare.pth", bare))
    assert not fit.spare


def test_side_heads_are_heads_too() -> None:
    fit = match(archdsl.load("googlenet", classes=5), Checkpoint("g.pth", described("googlenet")), head="new")[1]
    assert {key.rpartition(".")[0] for key in fit.fresh} == {"fc", "aux1.fc2", "aux2.fc2"}
    assert "drawn anew: aux1.fc2, aux2.fc2, fc (6 tensors)" in told(fit)


def test_a_head_may_be_a_convolution() -> None:
    fit = match(archdsl.load("squeezenet1_1", classes=5), Checkpoint("s.pth", described("squeezenet1_1")), head="new")[
        1
    ]
    assert set(fit.fresh) == {"classifier.1.weight", "classifier.1.bias"}


def test_another_network_s_file_is_a_short_table() -> None:
    for name, other in (("resnet50", "resnet18"), ("densenet201", "resnet18"), ("vgg16", "densenet201")):
        with pytest.raises(Misfit) as caught:
            match(archdsl.load(name), Checkpoint("f.pth", described(other)))
        lines = str(caught.value).splitlines()
        assert len(lines) <= 60
        assert max(map(len, lines)) <= 80


def test_a_network_cut_short_needs_only_its_part() -> None:
    full = described("resnet18")
    network = archdsl.load("resnet18").at("layer2")
    _, fit = match(network, Checkpoint("resnet18.pth", full))
    assert set(fit.taken) == {key for key in full if not key.startswith(("layer3", "layer4", "fc"))}
    assert "not needed here: layer3.*, layer4.*, fc.* (62 tensors)" in told(fit)
    with pytest.raises(Misfit, match="not in the network: 1 tensor"):
        match(network, Checkpoint("other.pth", full | {"layer5.weight": full["fc.bias"]}))
    del full["layer2.0.conv1.weight"]
    with pytest.raises(Misfit, match="not in the file: 1 tensor"):
        match(network, Checkpoint("less.pth", full))


@pytest.mark.parametrize(
    ("ours", "theirs", "good"),
    [
        *(("float32", theirs, True) for theirs in ("float16", "bfloat16", "float64")),
        *(("float32", theirs, False) for theirs in ("int64", "uint8", "bool")),
        *(("int64", theirs, True) for theirs in ("int32", "uint8")),
        *(("int64", theirs, False) for theirs in ("bool", "float32")),
        ("bool", "uint8", False),
    ],
)
def test_numbers_are_converted_within_their_kind(ours: str, theirs: str, good: bool) -> None:
    found = fit({"w": Entry((2,), ours, True)}, {"w": Held((2,), theirs)}, lambda key: False)
    assert found.good is good
    assert found.dtypes == (((theirs, ours),) if good else ())
    same = fit({"w": Entry((2,), ours, True)}, {"w": Held((2,), ours)}, lambda key: False)
    assert (same.good, same.dtypes) == (True, ())
