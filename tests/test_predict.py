"""Predictions: torchvision's own transforms and models give the same, whatever kind of image file it is."""

from __future__ import annotations

import builtins
import importlib.util
import json
import re
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peers import torchvision_model
from pictures import photo
from PIL import Image
from torch import Tensor

import archdsl
from archdsl import WrongUsage
from archdsl.cli import run
from archdsl.runtime import images, preprocess
from archdsl.runtime.predict import imagenet, predict

SPEC = """\
net tiny (classes = 6)
  input 3x32x32
  conv: conv 3x3, 8
  relu
  avgpool to 1x1
  flatten
  fc: linear classes
  preprocess
    resize 40
    crop 32
"""


def torchvision_file(path: str) -> Any:
    """A module of torchvision from its file; `import torchvision` itself may not work beside this torch."""
    torchvision_model("resnet18")
    vars(sys.modules["torchvision.utils"]).setdefault("_Image_fromarray", Image.fromarray)
    package: Any = sys.modules["torchvision.transforms"]
    package.InterpolationMode = import_module("torchvision.transforms.functional").InterpolationMode
    root = Path(sys.modules["torchvision"].__path__[0])
    name = f"torchvision.transforms.{Path(path).stem}_itself"
    found = importlib.util.spec_from_file_location(name, root / path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    def save(image: Image.Image, name: str, **options: Any) -> Path:
        image.save(tmp_path / name, **options)
        return tmp_path / name

    return save


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a spec, weights for it and an image."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.arch").write_text(SPEC)
    torch.save(archdsl.loads(SPEC).build(seed=0).state_dict(), tmp_path / "tiny.pth")
    photo().save(tmp_path / "a.png")
    return tmp_path


# As torchvision


SHAPES = [(64, 48), (48, 64), (300, 300), (256, 256), (255, 511), (1000, 31), (7, 900), (500, 333)]


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", SHAPES)
def test_images_become_what_torchvision_makes_of_them(size: tuple[int, int], interpolation: str) -> None:
    presets = torchvision_file("transforms/_presets.py")
    transform = presets.ImageClassification(
        crop_size=224, resize_size=256, interpolation=presets.InterpolationMode(interpolation)
    )
    net = archdsl.load("resnet18").net
    ours = preprocess.of(net._replace(preprocess={**net.preprocess, "interpolation": interpolation}))
    image = photo(*size)
    assert torch.equal(ours(image, "a"), transform(image))


@pytest.mark.parametrize(("resize", "crop"), [(20, 32), (31, 32), (32, 33), (33, 32), (40, 31), (232, 224)])
@pytest.mark.parametrize("size", [(64, 48), (33, 70)])
def test_every_crop_is_torchvision_s(size: tuple[int, int], resize: int, crop: int) -> None:
    presets = torchvision_file("transforms/_presets.py")
    transform = presets.ImageClassification(crop_size=crop, resize_size=resize, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 1))
    text = SPEC.replace("3x32x32", f"3x{crop}x{crop}").replace("resize 40", f"resize {resize}")
    text = text.replace("crop 32", f"crop {crop}") + "    mean [0.5, 0.4, 0.3]\n    std [0.2, 0.3, 1]\n"
    assert torch.equal(preprocess.of(archdsl.loads(text).net)(photo(*size), "a"), transform(photo(*size)))


def test_predictions_are_torchvision_s(saved: Callable[..., Path], tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = torchvision_model("resnet18").eval()
    torch.save(model.state_dict(), tmp_path / "resnet18.pth")
    paths = [saved(photo(*size), f"{number}.png") for number, size in enumerate([(300, 200), (200, 300), (64, 64)])]
    transform = torchvision_file("transforms/_presets.py").ImageClassification(crop_size=224)
    with torch.inference_mode():
        expected = model(torch.stack([transform(Image.open(path)) for path in paths])).softmax(1)
    found = list(predict(archdsl.load("resnet18"), paths, weights=tmp_path / "resnet18.pth", top=5))
    assert [seen.image for seen in found] == paths
    for seen, probabilities in zip(found, expected, strict=True):
        values, indices = probabilities.topk(5)
        assert [guess.number for guess in seen.guesses] == indices.tolist()
        assert [guess.probability for guess in seen.guesses] == values.tolist()
        assert [guess.label for guess in seen.guesses] == [imagenet()[index] for index in indices]


@pytest.mark.parametrize(("name", "side"), [("googlenet", 224), ("inception_v3", 299)])
def test_inputs_of_the_inceptions_are_those_of_their_published_weights(name: str, side: int) -> None:
    """torchvision's modules for these weights turn the usual input into that from -1 to 1 (`transform_input`)."""
    presets = torchvision_file("transforms/_presets.py")
    net = archdsl.load(name).net
    transform = presets.ImageClassification(crop_size=side, resize_size=net.preprocess["resize"])
    theirs = torchvision_model(name, transform_input=True, init_weights=False)
    expected = theirs._transform_input(transform(photo())[None])[0]
    assert torch.allclose(preprocess.of(net)(photo(), "a"), expected, atol=1e-6)


def test_the_classes_are_torchvision_s() -> None:
    assert imagenet() == torchvision_file("models/_meta.py")._IMAGENET_CATEGORIES


def test_broken_files_are_told_one_by_one(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (spec / "text.jpg").write_text("hello")
    (spec / "empty.png").touch()
    (spec / "cut.png").write_bytes((spec / "a.png").read_bytes()[:2000])
    (spec / "page.jpg").write_text("<!DOCTYPE html>")
    (spec / "script.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    Image.new("RGB", (90_000, 1)).save(spec / "narrow.png")
    names = ["text.jpg", "a.png", "empty.png", "cut.png", "page.jpg", "script.eps", "narrow.png"]
    assert run(["predict", "tiny.arch", *names, "--weights", "tiny.pth", "--format", "json"]) == 3
    out, err = capsys.readouterr()
    assert [one["image"] for one in json.loads(out)] == ["a.png"]
    told = [line for line in err.splitlines() if line.startswith("error: ")]
    assert [name for line, name in zip(told, [name for name in names if name != "a.png"], strict=True) if name in line]
    assert "`text.jpg` isn't an image" in told[0]
    assert "truncated" in told[2]
    assert "too narrow" in told[5]


# Networks


def test_grey_networks_see_grey(tmp_path: Path) -> None:
    network = archdsl.load("lenet")
    torch.save(network.build(seed=0).state_dict(), tmp_path / "lenet.pth")
    image = photo(28, 28)
    image.save(tmp_path / "a.png")
    (seen,) = predict(network, [tmp_path / "a.png"], weights=tmp_path / "lenet.pth", top=10)
    x = torch.from_numpy(np.asarray(image.convert("L")).astype(np.float32) / np.float32(255))[None, None]
    with torch.inference_mode():
        expected = network.build(seed=0).eval()(x).softmax(1)[0]
    assert sum(guess.probability for guess in seen.guesses) == pytest.approx(1, abs=1e-5)
    assert {guess.number: guess.probability for guess in seen.guesses} == dict(enumerate(expected.tolist()))
    assert seen.guesses[0].label == f"class {seen.guesses[0].number}"


@pytest.mark.parametrize("last", ["softmax", "log_softmax"])
def test_probabilities_aren_t_made_probabilities_twice(last: str, spec: Path) -> None:
    plain = archdsl.loads(SPEC)
    ends = archdsl.loads(SPEC.replace("  preprocess", f"  {last}\n  preprocess"))
    (one,) = predict(plain, [spec / "a.png"], weights=spec / "tiny.pth")
    (other,) = predict(ends, [spec / "a.png"], weights=spec / "tiny.pth")
    for left, right in zip(one.guesses, other.guesses, strict=True):
        assert left.number == right.number
        assert left.probability == pytest.approx(right.probability, abs=1e-6)


def test_the_main_output_is_the_one_that_counts(spec: Path) -> None:
    text = SPEC.replace("  relu\n", "  relu\n  output early\n    head: conv 1x1, 3\n").replace(
        "  preprocess", "  returns early, logits\n  preprocess"
    )
    network = archdsl.loads(text)
    torch.save(network.build(seed=0).state_dict(), spec / "two.pth")
    (seen,) = predict(network, [spec / "a.png"], weights=spec / "two.pth")
    module, prepared = network.build(seed=0).eval(), preprocess.of(network.net)
    with torch.inference_mode():
        scores: Tensor = module(prepared(Image.open(spec / "a.png"), "a")[None]).logits
    assert seen.guesses[0].number == int(scores.argmax())


def test_many_images_come_out_in_their_order(spec: Path) -> None:
    paths = []
    for number in range(37):
        path = spec / f"{number}.png"
        photo(40 + number, 50).save(path)
        paths.append(path)
    network = archdsl.loads(SPEC)
    found = list(predict(network, paths, weights=spec / "tiny.pth", top=1))
    alone = [next(iter(predict(network, [path], weights=spec / "tiny.pth", top=1))) for path in paths]
    assert [seen.image for seen in found] == paths
    for one, other in zip(found, alone, strict=True):
        assert one.guesses[0].number == other.guesses[0].number
        assert one.guesses[0].probability == pytest.approx(other.guesses[0].probability, abs=1e-6)


def test_weights_that_give_no_numbers_are_told(spec: Path) -> None:
    state = archdsl.loads(SPEC).build(seed=0).state_dict()
    state["fc.bias"].fill_(torch.nan)
    torch.save(state, spec / "nan.pth")
    (seen,) = predict(archdsl.loads(SPEC), [spec / "a.png"], weights=spec / "nan.pth")
    assert "NaN" in str(seen.failure)


# The command line


def test_a_table_and_json_tell_the_same(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (spec / "names.txt").write_text("one\ntwo\nthrée\nfour\nfive\nsix\x1b[31m\n", encoding="utf-8")
    args = ["predict", "tiny.arch", "a.png", "--weights", "tiny.pth", "--labels", "names.txt"]
    assert run([*args, "--format", "json", "--top", "9"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["image"] == "a.png"
    assert [one["label"] for one in sorted(told["classes"], key=lambda one: one["index"])][2] == "thrée"
    assert len(told["classes"]) == 6
    assert run([*args, "--top", "2"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "\x1b" not in out
    title, *lines = out.splitlines()
    assert title == "a.png"
    assert len(lines) == 2
    for line, guess in zip(lines, told["classes"], strict=False):
        found = re.fullmatch(r" +(\d+\.\d\d)%  (.+)", line)
        assert found is not None
        assert float(found[1]) == pytest.approx(100 * guess["probability"], abs=0.0051)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["tiny.arch", "a.png"], "--weights FILE"),
        (["tiny.arch", "missing.png", "--weights", "tiny.pth"], "`missing.png`: there is no such file"),
        (["tiny.arch", ".", "--weights", "tiny.pth"], "that is a folder"),
        (["tiny.arch", "a.png", "--weights", "missing.pth"], "`missing.pth`: there is no such file"),
        (["tiny.arch", "a.png", "--weights", "tiny.pth", "--top", "0"], "--top"),
        (["tiny.arch", "a.png", "--weights", "tiny.pth", "--device", "tpu9"], "there is no device `tpu9`"),
        (["tiny.arch", "a.png", "--weights", "tiny.pth", "--labels", "tiny.arch"], "tells 6 classes apart"),
        (["tiny.arch", "a.png", "--weights", "tiny.pth", "--labels", "a.png"], "isn't text in UTF-8"),
        (["tiny.arch", "a.png", "--weights", "tiny.pth", "--labels", "no.txt"], "there is no such file"),
        (["tiny.arch", "a.png", "--weights", "tiny.pth", "--input", "3x48x48"], "crops to 32 x 32"),
        (["unet", "a.png", "--weights", "tiny.pth"], "no scores of classes"),
        (["seide_2x2k", "a.png", "--weights", "tiny.pth"], "takes no images"),
        (["nin_cifar", "a.png", "--weights", "tiny.pth", "--input", "3xHxW"], "--input 3x224x224"),
        (["tiny.arch"], "IMAGE"),
    ],
)
def test_wrong_usage_is_two(args: list[str], told: str, spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["predict", *args]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("resize 40\n    zoom 2", "`zoom`"),
        ("resize 0", "`resize`"),
        ("resize [40, 50]", "`resize`"),
        ("interpolation lanczos", "`lanczos`"),
        ("mean [0.5, 0.5]", "one number for each of the 3"),
        ("std [1, 0, 1]", "`std`"),
    ],
)
def test_sections_that_can_t_be_meant_are_told(section: str, told: str) -> None:
    text = SPEC.partition("    resize 40")[0] + f"    {section}\n"
    with pytest.raises((WrongUsage, archdsl.SpecError)) as caught:
        preprocess.of(archdsl.loads(text).net)
    assert isinstance(caught.value, archdsl.SpecError) or told in str(caught.value)


def test_without_pillow_the_extra_is_named(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "find_spec", lambda name: None)
    original = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        assert not name.startswith("PIL")
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(WrongUsage, match=r"archdsl\[predict\]"):
        list(predict(archdsl.loads(SPEC), [spec / "a.png"], weights=spec / "tiny.pth"))
