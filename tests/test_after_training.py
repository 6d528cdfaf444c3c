"""After training: scores, predictions and feature maps are what a few lines of torch give."""

from __future__ import annotations

import json
from pathlib import Path

import numpy
import pytest
import torch
from after_training import SPEC, module_of, scores_of, spec_in, the_tests, trained_in
from PIL import Image
from safetensors.torch import load_file, save_file
from sklearn.metrics import confusion_matrix, top_k_accuracy_score
from torch import Tensor
from torch.nn import functional

import archdsl
from archdsl.cli import run as archdsl_
from archdsl.failure import Failure, WrongUsage
from archdsl.runtime.preprocess import Preprocess
from archdsl.train.data import Getting
from archdsl.train.evaluate import Outcome, evaluate, judge
from archdsl.train.features import MOST, features, shown
from archdsl.train.folder import RunFolder
from archdsl.train.history import history
from archdsl.train.report import report
from archdsl.train.trained import images_of, ready, run_of, trained


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return trained_in(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def digit(tmp_path: Path) -> Path:
    """The first test image as a file."""
    from archdsl.train.data import Pixels, open_data

    half = open_data("digits", tmp_path).test
    assert isinstance(half, Pixels)
    Image.fromarray(half.pixels[0, 0].numpy()).save(tmp_path / "digit.png")
    return tmp_path / "digit.png"


# Scores


def test_a_run_s_scores_are_those_of_a_loop_by_hand(run: RunFolder) -> None:
    found = evaluate(str(run.path), getting=Getting(run.path), device="cpu", batch=50).outcome
    scores, labels = scores_of(run)
    assert found.labels.equal(labels)
    assert found.guesses.equal(scores.argmax(1))
    assert found.loss == pytest.approx(float(functional.cross_entropy(scores, labels)), rel=1e-5)
    assert found.accuracy == pytest.approx((scores.argmax(1) == labels).float().mean())
    for count in (1, 3, 5):
        assert found.top(count) == pytest.approx(top_k_accuracy_score(labels, scores, k=count, labels=range(10)))
    assert torch.allclose(found.sureness, scores.softmax(1).amax(1), atol=1e-5)


def test_they_are_those_that_training_ended_with(run: RunFolder) -> None:
    found = evaluate(str(run.path), getting=Getting(run.path), device="cpu").outcome
    last = history(run)[-1]
    assert (last["test_loss"], last["test_accuracy"]) == pytest.approx((found.loss, found.accuracy), rel=1e-5)
    assert found.accuracy > 0.5


def test_a_spec_with_the_weights_has_the_same_scores(run: RunFolder, tmp_path: Path) -> None:
    of_run = evaluate(str(run.path), getting=Getting(tmp_path), device="cpu").outcome
    weights = str(run / "weights.safetensors")
    of_spec = evaluate(str(spec_in(tmp_path)), weights=weights, getting=Getting(tmp_path), device="cpu").outcome
    assert all(one.equal(other) for one, other in zip(of_run, of_spec, strict=True))


def outcome(labels: list[int], guesses: list[int], losses: list[float] | None = None) -> Outcome:
    count = len(labels)
    some = torch.tensor(losses or [0.0] * count)
    return Outcome(torch.tensor(labels), torch.tensor(guesses), some, torch.ones(count), torch.zeros(count).long())


def test_confusion_counts_as_scikit_learn_does(run: RunFolder) -> None:
    found = evaluate(str(run.path), getting=Getting(run.path), device="cpu").outcome
    scores, labels = scores_of(run)
    assert found.confusion(10).tolist() == confusion_matrix(labels, scores.argmax(1)).tolist()
    counts = numpy.zeros((4, 4), int)
    numpy.add.at(counts, ([0, 0, 1, 3], [0, 2, 1, 0]), 1)
    assert outcome([0, 0, 1, 3], [0, 2, 1, 0]).confusion(4).tolist() == counts.tolist()


def test_the_worst_images_are_mistakes_with_the_highest_loss_first() -> None:
    assert outcome([0, 1, 2, 3], [0, 2, 1, 0], [9.0, 1.0, 3.0, 2.0]).worst(2) == [2, 3]
    assert outcome([0, 1], [0, 1], [0.1, 0.2]).worst(9) == [1, 0]


def test_scores_as_json(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert archdsl_(["eval", str(run.path), "--device", "cpu", "--format", "json", "--full"]) == 0
    told = json.loads(capsys.readouterr().out)
    scores, labels = scores_of(run)
    right = scores.argmax(1) == labels
    assert told["images"] == 359
    assert told["top1"] == pytest.approx(float(right.double().mean()))
    assert [one["class"] for one in told["classes"]] == list("0123456789")
    for number, one in enumerate(told["classes"]):
        mine = right[labels == number]
        assert (one["images"], one["accuracy"]) == (len(mine), pytest.approx(float(mine.double().mean())))


def test_scores_as_a_table(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert archdsl_(["eval", str(run.path), "--device", "cpu", "--full"]) == 0
    first, loss, top1, top5, *classes = capsys.readouterr().out.splitlines()
    assert first == f"{run.path} on digits: 359 test images"
    assert (loss.split()[0], top1.split()[0], top5.split()[0]) == ("loss", "top-1", "top-5")
    assert len(classes) == 10


def test_weights_that_are_no_numbers_are_told() -> None:
    module = archdsl.loads(SPEC).build()
    with torch.no_grad():
        module.get_parameter("fc.weight").fill_(float("nan"))
    with pytest.raises(Failure, match="NaN"):
        judge(module, [the_tests()], main="out")


# Which network, weights and data


@pytest.mark.parametrize("args", [["--data", "fake:1x8x8:4"], ["--data", "fashion"], ["--set", "classes=3"]])
def test_what_a_run_can_t_be_tried_on_is_told(
    run: RunFolder, args: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert archdsl_(["eval", str(run.path), "--device", "cpu", *args]) == 2
    assert "help:" in capsys.readouterr().err


def test_classes_of_other_names_are_others(run: RunFolder, tmp_path: Path) -> None:
    for half in ("train", "val"):
        for name in "abcdefghij":
            (tmp_path / "letters" / half / name).mkdir(parents=True)
            Image.new("L", (8, 8)).save(tmp_path / "letters" / half / name / "1.png")
    with pytest.raises(WrongUsage, match="`0`, not `a`"):
        evaluate(str(run.path), data="letters", getting=Getting(tmp_path), device="cpu")


def test_a_spec_without_weights_has_no_scores(capsys: pytest.CaptureFixture[str]) -> None:
    assert archdsl_(["eval", "lenet"]) == 2
    assert "--weights FILE" in capsys.readouterr().err


def test_a_run_that_isn_t_over_has_no_scores_yet(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "spec").mkdir()
    (tmp_path / "spec" / "small.arch").write_text(SPEC)
    (tmp_path / "run.json").write_text((run / "run.json").read_text())
    with pytest.raises(WrongUsage, match="isn't finished"):
        trained(RunFolder(tmp_path))


def test_a_folder_without_a_run_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert archdsl_(["predict", str(tmp_path), "x.png"]) == 2
    assert "is no run" in capsys.readouterr().err


def test_a_shipped_name_isn_t_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("lenet", "mine"):
        (tmp_path / name).mkdir()
    assert run_of("lenet") is None
    assert run_of(str(tmp_path / "lenet")) is not None
    assert run_of("mine") is not None
    assert run_of("resnet18") is None


def test_images_are_those_of_the_spec_at_the_size_of_the_network() -> None:
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    whole = images_of(archdsl.load("resnet18").net)
    assert whole == Preprocess(3, 256, (224, 224), "bilinear", mean, std)
    small = images_of(archdsl.load("resnet18", input="3x64x64").net)
    assert small == Preprocess(3, 64, (64, 64), "bilinear", mean, std)
    grey = images_of(archdsl.load("resnet18", input="1x32x48").net)
    assert grey == Preprocess(1, 32, (32, 48), "bilinear", (), ())


# Predictions


def test_a_run_predicts_as_its_module_does(run: RunFolder, digit: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert archdsl_(["predict", str(run.path), str(digit), "--format", "json", "--top", "10"]) == 0
    ((told,),) = [json.loads(capsys.readouterr().out)]
    with torch.inference_mode():
        expected = module_of(run)(the_tests()[0][:1]).softmax(1)[0]
    order = expected.argsort(descending=True).tolist()
    assert [one["index"] for one in told["classes"]] == order
    assert [one["label"] for one in told["classes"]] == [str(number) for number in order]
    assert [one["probability"] for one in told["classes"]] == pytest.approx(expected[order].tolist(), rel=1e-4)


# Feature maps


def test_feature_maps_are_what_hooks_see(run: RunFolder, digit: Path) -> None:
    module = module_of(run)
    given: dict[str, Tensor] = {}
    for name, part in module.named_modules():
        if name and not list(part.children()):
            part.register_forward_hook(lambda _, __, result, name=name: given.update({name: result[0].clone()}))
    with torch.inference_mode():
        module(the_tests()[0][:1])
    what = ready(str(run.path), weights=None, input=None, params={})
    seen = features(what.network, digit, images=what.images, weights=what.weights)
    found = {layer.name: layer for layer in seen.layers}
    assert list(found) == "layer1.conv layer1.bn ~relu layer2.conv layer2.bn ~relu2 ~flatten fc".split()
    assert [layer.kind for layer in seen.layers] == "conv batchnorm relu conv batchnorm relu flatten linear".split()
    assert [name.replace("~", "") for name in found] == list(given)
    for layer, values in zip(seen.layers, given.values(), strict=True):
        assert torch.allclose(layer.values, values, atol=1e-5), layer.name
        assert layer.shape == tuple(values.shape)
    assert seen.filters is not None
    assert seen.filters[0] == "layer1.conv.weight"
    assert seen.filters[1].equal(load_file(run / "weights.safetensors")["layer1.conv.weight"])
    assert seen.image.equal(torch.from_numpy(numpy.array(Image.open(digit)))[None])


def test_channels_come_first_wherever_they_stand(digit: Path) -> None:
    text = "net turning\n  input 1x8x8\n  conv: conv 3x3, 5\n  turned: layout NHWC\n  norm: layernorm\n"
    network = archdsl.loads(text)
    seen = features(network, digit, images=images_of(network.net))
    conv, turned, _ = seen.layers
    assert (conv.shape, turned.shape) == ((5, 6, 6), (6, 6, 5))
    assert turned.values.equal(conv.values)


@pytest.mark.parametrize("name", ["lenet", "resnet18", "resnet152", "swin_t", "vit_b_16"])
def test_a_picture_has_room_for_what_is_shown(name: str) -> None:
    net = archdsl.load(name).net
    names = shown(net)
    assert 1 < len(names) <= MOST
    assert archdsl.load(name).at(*names).net.outputs


def test_all_layers_of_lenet_are_shown() -> None:
    assert shown(archdsl.load("lenet").net) == [f"net.{number}" for number in range(12)]


def test_too_many_steps_want_a_choice() -> None:
    with pytest.raises(WrongUsage, match="50 steps"):
        shown(archdsl.loads("net many\n  input 1x8x8\n  for k in 1..50\n    a{k}: conv 3x3, 1, pad same\n").net)


def test_random_weights_are_told(digit: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = digit.with_name("maps.png")
    command = ["features", "lenet", str(digit), "-o", str(target), "--input", "1x28x28", "--layers"]
    assert archdsl_([*command, "net.0,net.11"]) == 0
    assert "at random" in capsys.readouterr().err
    with Image.open(target) as picture:
        assert picture.format == "PNG"
    assert archdsl_([*command, "nett.0"]) == 2
    assert archdsl_(["features", "lenet", str(digit), "-o", "maps.gif"]) == 2


def test_other_weights_can_be_tried_in_a_run(run: RunFolder, tmp_path: Path) -> None:
    weights = load_file(run / "weights.safetensors")
    save_file(weights | {"fc.bias": weights["fc.bias"] + torch.eye(10)[3] * 1000}, tmp_path / "threes.safetensors")
    found = evaluate(
        str(run.path), weights=str(tmp_path / "threes.safetensors"), getting=Getting(tmp_path), device="cpu"
    )
    assert set(found.outcome.guesses.tolist()) == {3}


def test_a_run_knows_which_images_it_was_not_trained_on(tmp_path: Path) -> None:
    generator = numpy.random.default_rng(0)
    for name in "ab":
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(10):
            image = Image.fromarray(generator.integers(0, 256, (8, 8), numpy.uint8))
            image.save(tmp_path / "photos" / name / f"{number}.png")
        (tmp_path / "photos" / name / "broken.png").write_bytes(b"no image")
    getting = Getting(tmp_path, test_share=0.3, skip_corrupt=True)
    run = trained_in(tmp_path, getting=getting, data=str(tmp_path / "photos"), epochs=1, batch=8)
    found = report(run, getting)
    again = evaluate(str(run.path), getting=Getting(tmp_path), device="cpu").outcome
    assert all(one.equal(other) for one, other in zip(found, again, strict=True))
    assert len(found.labels) in (5, 6)
    with pytest.raises(WrongUsage, match=r"--test-share.*0\.3, not 0\.5"):
        evaluate(str(run.path), getting=Getting(tmp_path, test_share=0.5), device="cpu")
