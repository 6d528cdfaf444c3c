"""Batches: complete, in the same order whenever and wherever they are made; the embedded data sets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from PIL import Image
from torch import Tensor

from archdsl.failure import WrongUsage
from archdsl.recipe import Augment
from archdsl.runtime.preprocess import Preprocess, tensor_of
from archdsl.train.data import Batches, Data, Pictures, Pipeline, Pixels, batches, draws, facts, open_data
from archdsl.train.data.geometry import fit
from archdsl.train.data.plan import starts
from archdsl.train.data.resident import Resident
from archdsl.train.data.stratify import stratified

EVERYTHING = Augment(flip=True, crop=1, shift=1, rotate=9, color=0.2, erase=0.3, policy="randaugment")
SMALL = Pipeline(channels=1, size=(8, 8), batch=64)


@pytest.fixture(scope="module")
def digits() -> Data:
    return open_data("digits", "nowhere")


def all_of(made: Batches) -> list[tuple[Tensor, Tensor]]:
    return list(made)


def assert_same(first: list[tuple[Tensor, Tensor]], second: list[tuple[Tensor, Tensor]]) -> None:
    """Bit for bit."""
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert one[0].equal(other[0])
        assert one[1].equal(other[1])


def test_digits_are_scikit_learn_s(digits: Data) -> None:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    assert isinstance(digits.train, Pixels)
    assert isinstance(digits.test, Pixels)
    labels = torch.tensor(bunch.target)
    halves = stratified(labels)
    expected = numpy.floor(bunch.images * 255 / 16 + 0.5).astype(numpy.uint8)
    for half, where in zip((digits.train, digits.test), halves, strict=True):
        assert half.pixels[:, 0].numpy().tolist() == expected[where.numpy()].tolist()
        assert half.labels.equal(labels[where])
    assert (len(digits.train), len(digits.test)) == (1438, 359)
    assert (digits.classes, digits.channels, digits.size) == (tuple("0123456789"), 1, (8, 8))


def test_the_split_is_stratified_and_complete() -> None:
    labels = draws.uniforms((5,), torch.arange(1000), 1).flatten().pow(2).mul(7).long()
    train, test = stratified(labels, 0.25)
    assert torch.cat([train, test]).sort().values.equal(torch.arange(1000))
    for label in range(7):
        of_class = int((labels == label).sum())
        assert int((labels[test] == label).sum()) == round(0.25 * of_class)
    assert stratified(labels, 0.25)[1].equal(test)
    # Shuffled, not the first ones of each class.
    assert test.double().mean() == pytest.approx(500, abs=40)


def test_a_class_of_one_image_stays_in_training() -> None:
    train, test = stratified(torch.tensor([0, 0, 1]), 0.9)
    assert (len(train), len(test)) == (2, 1)


def test_facts_of_what_is_embedded() -> None:
    known = facts("digits", "nowhere")
    assert (known.channels, known.size, known.classes, known.present) == (1, (8, 8), 10, True)
    made = facts("fake:1x20x30:7", "nowhere")
    assert (made.channels, made.size, made.classes, made.present) == (1, (20, 30), 7, True)
    data = open_data("fake:1x20x30:7", "nowhere")
    assert isinstance(data.train, Pixels)
    assert data.train.pixels.shape == (1000, 1, 20, 30)
    assert sorted(set(data.train.labels.tolist())) == list(range(7))
    again = open_data("fake:1x20x30:7", "nowhere").train
    assert isinstance(again, Pixels)
    assert again.pixels.equal(data.train.pixels)


def test_noise_comes_in_any_number() -> None:
    data = open_data("fake:1x8x8:3:12", "nowhere")
    assert (len(data.train), len(data.test), len(data.classes)) == (12, 3, 3)


@pytest.mark.parametrize(
    "name", ["fake:", "fake:2x8x8", "fake:3x0x8", "fake:3x8x8:0", "fake:3x8x8:2:0", "digts", "cifar", "some/folder"]
)
def test_unknown_names_are_told(name: str, tmp_path: Path) -> None:
    with pytest.raises(WrongUsage) as told:
        facts(name, tmp_path)
    assert told.value.help
    with pytest.raises(WrongUsage):
        open_data(name, tmp_path)


def test_a_slip_of_the_fingers_is_told(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="did you mean `fashion_mnist`"):
        facts("fashion_mnits", tmp_path)


def test_an_epoch_has_every_sample_once(digits: Data) -> None:
    assert isinstance(digits.train, Pixels)
    made = batches(digits.train, SMALL, train=True)
    for epoch in range(2):
        made.set_epoch(epoch)
        got = all_of(made)
        assert len(got) == len(made) == 23
        assert [len(labels) for _, labels in got] == [64] * 22 + [30]
        order = draws.order((0, 1, epoch), 1438)
        assert torch.cat([labels for _, labels in got]).equal(digits.train.labels[order])
        pixels = torch.cat([pictures for pictures, _ in got])
        assert pixels.equal(digits.train.pixels[order].float() / 255)
    test = all_of(batches(digits.test, SMALL, train=False))
    assert isinstance(digits.test, Pixels)
    assert torch.cat([labels for _, labels in test]).equal(digits.test.labels)


def test_orders_differ_by_epoch_and_seed() -> None:
    orders = [draws.order((seed, 1, epoch), 500) for seed in range(4) for epoch in range(4)]
    for number, order in enumerate(orders):
        assert order.sort().values.equal(torch.arange(500))
        assert all(int((order == other).sum()) < 10 for other in orders[:number])


def test_draws_are_even_and_independent() -> None:
    drawn = draws.uniforms((7, 2), torch.arange(100_000), 6).double()
    assert drawn.min() >= 0
    assert drawn.max() < 1
    torch.testing.assert_close(drawn.mean(0), torch.full((6,), 0.5).double(), atol=0.005, rtol=0)
    torch.testing.assert_close(drawn.var(0), torch.full((6,), 1 / 12).double(), atol=0.001, rtol=0)
    other = draws.uniforms((7, 3), torch.arange(100_000), 1).double()
    together = torch.cat([drawn, other, drawn[:, :1].roll(1, 0)], dim=1)
    assert torch.corrcoef(together.T).fill_diagonal_(0).abs().max() < 0.015
    some = torch.tensor([5, 77, 3])
    assert draws.uniforms((7, 2), some, 3).double().equal(drawn[some, :3])


def test_draws_are_splitmix64() -> None:
    """The published test vector: the first outputs for the seed 1234567."""
    gamma, expected = 0x9E3779B97F4A7C15, (6457827717110365317, 3203168211198807973, 9817491932198370423)
    for number, value in enumerate(expected, start=1):
        state = (1234567 + number * gamma) % 2**64
        assert draws._mixed(state) == value
        assert int(draws._mixed_tensor(torch.tensor([draws._signed(state)]))[0]) % 2**64 == value


@pytest.mark.parametrize("step", [0, 1, 11, 22, 23])
def test_going_on_from_a_step_changes_nothing(digits: Data, step: int) -> None:
    pipeline = replace(SMALL, augment=EVERYTHING, seed=3)
    whole = batches(digits.train, pipeline, train=True)
    whole.set_epoch(4)
    expected = all_of(whole)
    stopped = batches(digits.train, pipeline, train=True)
    stopped.set_epoch(4)
    running: Iterator[Any] = iter(stopped)
    for _ in range(step):
        next(running)
    state = stopped.state_dict()
    resumed = batches(digits.train, pipeline, train=True)
    resumed.load_state_dict(state)
    assert len(resumed) == 23
    assert_same(all_of(resumed), expected[step:])
    resumed.set_epoch(5)
    whole.set_epoch(5)
    assert_same(all_of(resumed), all_of(whole))


def test_an_iteration_that_is_given_up_leaves_nothing_behind(digits: Data) -> None:
    made = batches(digits.train, replace(SMALL, augment=EVERYTHING), train=True)
    expected = all_of(made)
    next(iter(made))
    assert made.state_dict() == {"epoch": 0, "step": 1}
    assert_same(all_of(made), expected)
    assert made.state_dict() == {"epoch": 0, "step": 23}


def test_no_generator_of_the_program_moves(digits: Data) -> None:
    before = torch.get_rng_state()
    at = numpy.random.get_state()[1].tolist()  # type: ignore[index]
    torch.manual_seed(1)
    first = all_of(batches(digits.train, replace(SMALL, augment=EVERYTHING), train=True))
    assert torch.get_rng_state().equal(torch.Generator().manual_seed(1).get_state())
    torch.manual_seed(2)
    assert_same(all_of(batches(digits.train, replace(SMALL, augment=EVERYTHING), train=True)), first)
    assert numpy.random.get_state()[1].tolist() == at  # type: ignore[index]
    torch.set_rng_state(before)


@pytest.mark.parametrize("world", [2, 4])
@pytest.mark.parametrize("train", [True, False])
def test_processes_share_each_batch(digits: Data, world: int, train: bool) -> None:
    pipeline = replace(SMALL, augment=EVERYTHING)
    half = digits.train if train else digits.test
    alone = all_of(batches(half, pipeline, train=train))
    shares = [batches(half, replace(pipeline, rank=rank, world=world), train=train) for rank in range(world)]
    got = [all_of(share) for share in shares]
    together = [
        (torch.cat([one[0] for one in step]), torch.cat([one[1] for one in step])) for step in zip(*got, strict=True)
    ]
    assert_same(together, alone)
    for step, (_, labels) in enumerate(alone):
        weights = [share.weight(step) for share in shares]
        sizes = [len(one[step][1]) for one in got]
        assert weights == pytest.approx([size * world / len(labels) for size in sizes])
        assert sum(weights) == pytest.approx(world)


def test_a_batch_that_can_t_be_shared_is_told() -> None:
    with pytest.raises(WrongUsage, match="a batch of 64 has no equal shares for 3 processes"):
        replace(SMALL, rank=0, world=3)


@pytest.mark.parametrize(
    ("count", "world", "expected"),
    [
        (130, 1, [64, 128, 130]),
        (129, 1, [64, 129]),
        (128, 1, [64, 128]),
        (3, 1, [3]),
        (1, 1, [1]),
        (131, 2, [64, 131]),
        (132, 2, [64, 128, 132]),
    ],
)
def test_the_last_batch_is_never_too_small(count: int, world: int, expected: list[int]) -> None:
    assert starts(count, replace(SMALL, world=world)) == [0, *expected]


def test_images_are_normalised(digits: Data) -> None:
    assert isinstance(digits.test, Pixels)
    pipeline = replace(SMALL, channels=3, mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))
    pictures, labels = next(iter(batches(digits.test, pipeline, train=False)))
    assert pictures.dtype == torch.float32
    assert labels.dtype == torch.int64
    grey = digits.test.pixels[:64, 0].numpy().astype(numpy.float32) / numpy.float32(255)
    for channel, (mean, std) in enumerate(zip(pipeline.mean, pipeline.std, strict=True)):
        expected = (grey - numpy.float32(mean)) / numpy.float32(std)
        assert numpy.array_equal(pictures[:, channel].numpy(), expected)


def test_erased_pixels_are_zero_for_the_network(digits: Data) -> None:
    pipeline = replace(SMALL, channels=3, mean=(0.2, 0.4, 0.6), std=(0.5, 0.5, 0.5), augment=Augment(erase=1.0))
    pictures, _ = next(iter(batches(digits.train, pipeline, train=True)))
    assert bool((pictures.abs().amax(1) < 1e-6).flatten(1).any(1).all())


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize(
    ("resize", "crop"), [(24, (24, 24)), (40, (32, 32)), (16, (16, 20)), (50, (64, 60)), (9, (7, 7))]
)
def test_images_in_memory_are_fitted_as_pillow_fits_pictures(
    resize: int, crop: tuple[int, int], interpolation: str
) -> None:
    """Whatever network a data set is for, training sees what `predict` sees."""
    smooth = torch.rand(4, 3, 6, 7, generator=draws.generator(1))
    large = torch.nn.functional.interpolate(smooth, (24, 30), mode="bicubic").clamp(0, 1)
    pixels = (large * 255).to(torch.uint8)
    for channels in (3, 1):
        to = Preprocess(channels, resize, crop, interpolation, (), ())
        pictures = [Image.fromarray(one.permute(1, 2, 0).numpy()) for one in pixels]
        mode = "RGB" if channels == 3 else "L"
        expected = torch.stack([to.pixels(picture.convert(mode), "it") for picture in pictures])
        ours = fit(pixels, to)
        assert ours.shape == expected.shape == (4, channels, *crop)
        assert int((ours.int() - expected.int()).abs().max()) <= (0 if interpolation == "nearest" else 1)


def test_grey_and_colour_are_pillow_s() -> None:
    pixels = torch.randint(256, (50, 3, 9, 9), dtype=torch.uint8, generator=draws.generator(2))
    grey = fit(pixels, Preprocess(1, 9, (9, 9), "bilinear", (), ()))
    expected = [tensor_of(Image.fromarray(one.permute(1, 2, 0).numpy()).convert("L")) for one in pixels]
    assert grey.equal(torch.stack(expected))
    assert fit(grey, Preprocess(3, 9, (9, 9), "bilinear", (), ())).equal(grey.expand(-1, 3, -1, -1))


def test_what_is_too_large_when_fitted_is_fitted_batch_by_batch(digits: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = replace(SMALL, size=(20, 20), augment=EVERYTHING)
    expected = all_of(batches(digits.train, pipeline, train=True))
    monkeypatch.setattr("archdsl.train.data.resident.LIMIT", 100_000)
    made = batches(digits.train, pipeline, train=True)
    assert isinstance(made._source, Resident)
    assert made._source._pixels.shape[2:] == (8, 8)
    assert_same(all_of(made), expected)


class _Drawn(Pictures):
    """Pictures of many sizes, made when they are read."""

    def __len__(self) -> int:
        return 45

    def read(self, index: int, channels: int) -> tuple[Image.Image, int]:
        shape = (20 + index % 7, 18 + index % 5, 3)
        values = draws.uniforms((9,), torch.tensor([index]), shape[0] * shape[1] * 3).view(shape)
        picture = Image.fromarray((values * 255).to(torch.uint8).numpy())
        return picture.convert("RGB" if channels == 3 else "L"), index % 3

    def name(self, index: int) -> str:
        return f"number {index}"


LARGE = Pipeline(channels=3, size=(12, 16), batch=10, augment=EVERYTHING, seed=5)


def test_streamed_pictures_give_the_batches_of_those_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    held = all_of(batches(_Drawn(), LARGE, train=True))
    monkeypatch.setattr("archdsl.train.data.resident.LIMIT", 0)
    assert_same(all_of(batches(_Drawn(), LARGE, train=True)), held)


@pytest.mark.parametrize("workers", [0, 2])
def test_streams_go_on_and_share_too(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archdsl.train.data.resident.LIMIT", 0)
    how = EVERYTHING.model_copy(update={"scale": (0.2, 1.0)})
    alone = batches(_Drawn(), replace(LARGE, augment=how), train=True)
    alone.set_epoch(2)
    expected = all_of(alone)
    assert [len(labels) for _, labels in expected] == [10, 10, 10, 10, 5]
    made = batches(_Drawn(), replace(LARGE, augment=how, workers=workers), train=True)
    made.load_state_dict({"epoch": 2, "step": 3})
    state = torch.get_rng_state()
    assert_same(all_of(made), expected[3:])
    next(iter(made))  # given up, with workers at work
    assert_same(all_of(made), expected)
    assert torch.get_rng_state().equal(state)
    made.set_epoch(1)
    other = all_of(made)
    assert not other[0][1].equal(expected[0][1])
    halves = [all_of(batches(_Drawn(), replace(LARGE, augment=how, rank=r, world=2), train=True)) for r in (0, 1)]
    alone.set_epoch(0)
    together = [(torch.cat([a, b]), torch.cat([c, d])) for (a, c), (b, d) in zip(*halves, strict=True)]
    assert_same(together, all_of(alone))


def test_scale_cuts_out_of_the_picture_as_it_is_read() -> None:
    """Not out of what is resized already: by hand, with Pillow."""
    from archdsl.train.augment import DRAWS, crop_boxes

    pipeline = replace(LARGE, augment=Augment(scale=(0.1, 0.5)))
    pictures, labels = next(iter(batches(_Drawn(), pipeline, train=True)))
    order = draws.order((5, 1, 0), 45)[:10]
    for ours, label, index in zip(pictures, labels.tolist(), order.tolist(), strict=True):
        picture, expected_label = _Drawn().read(index, 3)
        chance = draws.uniforms((5, 2, 0), torch.tensor([index]), DRAWS)
        boxes = crop_boxes(chance, (picture.height, picture.width), (0.1, 0.5))
        top, left, height, width = (int(side) for side in boxes)
        cut = picture.crop((left, top, left + width, top + height)).resize((16, 12), Image.Resampling.BILINEAR)

        apart = ((ours * 255).round() - tensor_of(cut)).abs()
        assert apart.mean() < 3
        assert label == expected_label
