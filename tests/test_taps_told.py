"""Cut networks as users meet them: what is refused, what is told of them, the command line and the page."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from test_docs import snippets
from test_taps import module_of, seen
from torch.utils.flop_counter import FlopCounterMode
from zoo import image

import archdsl
from archdsl import cli


@pytest.mark.parametrize(
    ("names", "what", "help"),
    [
        (("layer5",), "`resnet18` has no step `layer5`", "did you mean `layer1`?"),
        (("layer1.0.conv3",), "`resnet18` has no step `layer1.0.conv3`", "did you mean `layer1.0.conv1`?"),
        (("layer3.0.relu",), "no step `layer3.0.relu`", "did you mean `layer3.0.~relu`?"),
        (("encoder",), "no step `encoder`", "its steps are conv1, bn1, ~relu, ~maxpool, layer1, layer2,"),
        (("fc.weight",), "no step `fc.weight`", ""),
        (("layer1.00",), "no step `layer1.00`", "did you mean `layer1.0`?"),
        (("",), "no step ``", "its steps are"),
        ((), "no output is named", "layer2"),
        (("layer1", "layer1"), "`layer1` is asked for twice", ""),
    ],
)
def test_what_is_refused(names: tuple[str, ...], what: str, help: str) -> None:
    with pytest.raises(archdsl.WrongUsage) as caught:
        archdsl.load("resnet18").at(*names)
    assert what in str(caught.value)
    assert help in caught.value.help


def test_two_outputs_with_one_field_are_refused() -> None:
    network = archdsl.loads("net n\n input 3\n a:\n  b: linear 4\n a_b: linear 5\n")
    with pytest.raises(archdsl.WrongUsage, match=r"`a\.b` and `a_b` would both be called `a_b`"):
        network.at("a.b", "a_b")


def test_facts_of_outputs() -> None:
    found = archdsl.load("resnet50", input="3x256x192").at("layer2", "layer4", "layer1.0.conv1", "fc").outputs
    assert [output[:5] for output in found] == [
        ("layer2", "layer2", 512, (8, 8), (512, 32, 24)),
        ("layer4", "layer4", 2048, (32, 32), (2048, 8, 6)),
        ("layer1.0.conv1", "layer1_0_conv1", 64, (4, 4), (64, 64, 48)),
        ("fc", "fc", 1000, None, (1000,)),
    ]
    (up,) = archdsl.loads("net n\n input 3x8x8\n conv 1x1, 2 -> upsample scale 4\n").outputs
    assert (up.name, up.channels, up.stride, up.shape) == ("out", 2, (0.25, 0.25), (2, 32, 32))
    (open_,) = archdsl.load("resnet18", input="3xHxW").at("layer4").outputs
    assert (open_.stride, [str(size) for size in open_.shape]) == ((32, 32), ["512", "⌈H/32⌉", "⌈W/32⌉"])
    train, _, late = archdsl.load("googlenet").outputs
    assert (train.mode, late.mode) == ("always", "training")


def test_what_is_told_is_the_cut_network() -> None:
    tapped = archdsl.load("resnet50").at("layer2", "layer3.2")
    module = tapped.build(device="meta")
    told = tapped.to_json()
    assert told["params"] == sum(weight.numel() for weight in module.parameters())
    assert list(told["state_dict"]) == list(module.state_dict())
    with FlopCounterMode(display=False) as counter:
        module(torch.empty(1, 3, 224, 224, device="meta"))
    assert 2 * told["macs"] == counter.get_total_flops()
    assert told["outputs"] == {"layer2": [512, 28, 28], "layer3.2": [1024, 14, 14]}
    assert told["output_channels"] == {"layer2": 512, "layer3.2": 1024}
    assert told["output_strides"] == {"layer2": [8, 8], "layer3.2": [16, 16]}
    summary = tapped.summary()
    assert summary.startswith("resnet50: 3x224x224 -> 512x28x28, 1024x14x14\n")
    assert "Outputs  layer2 512x28x28 (512 channels, stride 8); layer3.2 1024x14x14" in summary
    assert all(len(line) <= 80 for line in summary.splitlines())
    assert "up to `layer2`, `layer3.2`, written by archdsl." in tapped.source
    drawn = tapped.diagram()
    assert [node.title for node in drawn.nodes if node.form == "output"] == ["layer2", "layer3.2"]
    assert "fc" not in {node.title for node in tapped.diagram(depth=9).nodes}


def test_a_stride_is_told_once_where_it_is_the_same_along_all_axes() -> None:
    video = archdsl.loads("net n\n input 3x8x32x32\n a: conv 3x3x3, 4, stride 1x2x2\n b: conv 1x1x1, 4, stride 2\n")
    assert "stride 1x2x2" in video.at("a").summary()
    assert "stride 2x4x4" in video.at("b").summary()


def test_a_cut_network_is_a_network() -> None:
    """Cut again from the whole one, pickled, copied, with the whole network's warnings."""
    network = archdsl.load("resnet18")
    tapped = network.at("layer2")
    assert [output.name for output in tapped.at("layer4").outputs] == ["layer4"]
    assert tapped.whole.net.outputs == network.net.outputs
    again = pickle.loads(pickle.dumps(tapped))
    assert again.source == tapped.source
    module = pickle.loads(pickle.dumps(network.build(outputs=["layer1", "layer2"], seed=0)))
    assert module(image(64))._fields == ("layer1", "layer2")
    scores = "net n\n input 3x8x8\n a: conv 1x1, 4\n r: relu\n b: conv 1x1, 4\n train\n  data cifar10\n"
    assert archdsl.loads(scores).at("r").check() == archdsl.loads(scores).check()


def test_an_example_with_the_parameters_of_the_network() -> None:
    tapped = archdsl.load("densenet121", growth=8, input="3x64x64").at("features.transition1")
    whole = archdsl.load("densenet121", growth=8, input="3x64x64").build(seed=0).eval()
    assert torch.equal(module_of(tapped, whole).eval()(image(64)), seen(whole, image(64))["features.transition1"])


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["build", "resnet18", "--outputs", "layer2, layer4", "--format", "json"]) == 0
    assert list(json.loads(capsys.readouterr().out)["outputs"]) == ["layer2", "layer4"]
    file = tmp_path / "cut.py"
    assert cli.run(["build", "resnet18", "--outputs", "layer1", "-o", str(file)]) == 0
    assert file.read_text() == archdsl.load("resnet18").at("layer1").source
    assert cli.run(["diagram", "resnet18", "--outputs", "layer1.1", "-o", str(tmp_path / "cut.svg")]) == 0
    assert ">layer1.1<" in (tmp_path / "cut.svg").read_text()
    assert cli.run(["build", "resnet18", "--outputs", "layer1,leyer2"]) == 2
    assert "did you mean `layer2`?" in capsys.readouterr().err


def test_the_page_about_features(capsys: pytest.CaptureFixture[str]) -> None:
    """Its code gives the output that it shows."""
    space: dict[str, Any] = {}
    shown = 0
    for snippet in snippets("features"):
        if snippet.language == "python":
            exec(snippet.text, space)  # noqa: S102 (our own page)
        elif snippet.language == "output":
            assert capsys.readouterr().out == snippet.text
            shown += 1
    assert shown == 3
