"""Augmentation and mixing: each change beside torchvision's function of the same meaning, image by image."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, get_args

import pytest
import torch
from torch import Tensor
from whole import whole_torchvision

from archdsl.recipe import Augment
from archdsl.train import policies, tones, warps
from archdsl.train.augment import DRAWS, Draw, augment, crop_boxes
from archdsl.train.data import draws
from archdsl.train.mixing import mix


@pytest.fixture(scope="module")
def theirs() -> Iterator[Any]:
    """torchvision.transforms.v2.functional."""
    with whole_torchvision():
        yield import_module("torchvision.transforms.v2.functional")


def images(count: int = 6, channels: int = 3, height: int = 20, width: int = 26) -> Tensor:
    """Smooth pictures, not noise: with few values in some, all the same in one."""
    made = torch.rand(count, channels, 5, 6, generator=draws.generator(count, channels))
    large = torch.nn.functional.interpolate(made, (height, width), mode="bicubic").clamp(0, 1)
    pixels = (large * 255).to(torch.uint8)
    pixels[1] = pixels[1] // 3 + 40
    pixels[2] = 77
    return pixels


def chances(count: int, seed: int = 3) -> Tensor:
    return draws.uniforms((seed,), torch.arange(count), DRAWS)


def each(function: Callable[..., Tensor], pictures: Tensor, *amounts: Tensor) -> Tensor:
    """A function of one image, image by image."""
    rows = zip(pictures, *(amount.tolist() for amount in amounts), strict=True)
    return torch.stack([function(*row) for row in rows])


def assert_near(ours: Tensor, expected: Tensor, *, most: int = 1, share: float = 0.002) -> None:
    """Equal but for rounding at single values."""
    assert ours.dtype == torch.uint8
    assert ours.shape == expected.shape
    apart = (ours.int() - expected.int()).abs()
    assert int(apart.max()) <= most
    assert (apart > 0).float().mean() <= share


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("ours", "name"),
    [
        (tones.brightness, "adjust_brightness"),
        (tones.contrast, "adjust_contrast"),
        (tones.saturation, "adjust_saturation"),
        (tones.sharpness, "adjust_sharpness"),
    ],
)
def test_tones_are_torchvision_s(ours: Callable[..., Tensor], name: str, channels: int, theirs: Any) -> None:
    pictures = images(channels=channels)
    factors = torch.tensor([0.0, 0.3, 0.9, 1.0, 1.5, 1.99])
    assert_near(ours(pictures, factors), each(getattr(theirs, name), pictures, factors))
    assert ours(pictures, torch.ones(6)).equal(pictures)


@pytest.mark.parametrize("channels", [1, 3])
def test_tables_are_torchvision_s(channels: int, theirs: Any) -> None:
    pictures = images(channels=channels)
    assert tones.autocontrast(pictures).equal(each(theirs.autocontrast, pictures))
    assert tones.equalized(pictures).equal(each(theirs.equalize, pictures))
    bits = torch.tensor([8, 7, 5, 4, 2, 0])
    assert tones.posterized(pictures, bits).equal(each(theirs.posterize, pictures, bits))
    thresholds = torch.tensor([0.0, 50.0, 77.0, 128.5, 200.0, 255.0])
    assert tones.solarized(pictures, thresholds).equal(each(theirs.solarize, pictures, thresholds))


def test_crop_is_padding_and_cutting(theirs: Any) -> None:
    pictures, chance = images(40), chances(40)
    by = (chance[:, Draw.CROP : Draw.CROP + 2] * 9).long()

    def cut(picture: Tensor, top: int, left: int) -> Tensor:
        return theirs.crop(theirs.pad(picture, [4]), top, left, 20, 26)  # type: ignore[no-any-return]

    ours = augment(pictures, Augment(crop=4), chance)
    assert ours.equal(each(cut, pictures, by[:, 0], by[:, 1]))
    assert by.min() == 0
    assert by.max() == 8


def test_flip_mirrors_half_of_them(theirs: Any) -> None:
    pictures, chance = images(64), chances(64)
    flipped = chance[:, Draw.FLIP] < 0.5
    expected = torch.where(flipped[:, None, None, None], theirs.horizontal_flip(pictures), pictures)
    assert augment(pictures, Augment(flip=True), chance).equal(expected)
    assert 20 < flipped.sum() < 44


def test_shift_repeats_the_border(theirs: Any) -> None:
    pictures, chance = images(40), chances(40)
    by = (chance[:, Draw.SHIFT : Draw.SHIFT + 2] * 5).long()

    def cut(picture: Tensor, top: int, left: int) -> Tensor:
        padded = theirs.pad(picture, [2], padding_mode="edge")
        return theirs.crop(padded, top, left, 20, 26)  # type: ignore[no-any-return]

    assert augment(pictures, Augment(shift=2), chance).equal(each(cut, pictures, by[:, 0], by[:, 1]))


def test_crop_flip_and_shift_go_one_after_another() -> None:
    pictures, chance = images(40), chances(40)
    apart = augment(pictures, Augment(shift=2), chance)
    apart = augment(augment(apart, Augment(crop=3), chance), Augment(flip=True), chance)
    assert augment(pictures, Augment(flip=True, crop=3, shift=2), chance).equal(apart)


def test_rotation_is_torchvision_s(theirs: Any) -> None:
    pictures = images()
    degrees = torch.tensor([0.0, 10.0, -25.0, 90.0, 133.0, 180.0])
    bilinear = theirs.InterpolationMode.BILINEAR
    expected = each(lambda one, angle: theirs.rotate(one, angle, bilinear), pictures, degrees)
    assert_near(warps.warped(pictures, warps.rotation(degrees), "bilinear"), expected, share=0.01)
    chance = chances(6)
    degrees = (chance[:, Draw.ROTATE] * 2 - 1) * 15
    expected = each(lambda one, angle: theirs.rotate(one, angle, bilinear), pictures, degrees)
    assert_near(augment(pictures, Augment(rotate=15), chance), expected, share=0.01)


def test_scale_is_a_random_resized_crop(theirs: Any) -> None:
    pictures, chance = images(40), chances(40)
    boxes = crop_boxes(chance, (20, 26), (0.2, 0.7))

    def cut(picture: Tensor, *box: int) -> Tensor:
        # In float32: for bytes, torch has another kernel, with rounder weights.
        return theirs.resized_crop(picture.float(), *box, [20, 26], antialias=False).round()  # type: ignore[no-any-return]

    ours = augment(pictures, Augment(scale=(0.2, 0.7)), chance)
    assert_near(ours, each(cut, pictures, *boxes), share=0.01)
    area = boxes.height * boxes.width / (20 * 26)
    assert 0.15 < area.min() < 0.3
    assert 0.6 < area.max() < 0.75
    assert bool(((boxes.top >= 0) & (boxes.top + boxes.height <= 20)).all())
    assert bool(((boxes.left >= 0) & (boxes.left + boxes.width <= 26)).all())


def test_boxes_have_the_area_and_ratio_of_torchvision_s() -> None:
    """The distributions: area even, the ratio's logarithm even."""
    boxes = crop_boxes(chances(20_000), (1000, 1000), (0.1, 0.5))
    area = (boxes.height * boxes.width).double() / 1e6
    ratio = (boxes.width.double() / boxes.height).log()
    for values, low, high in ((area, 0.1, 0.5), (ratio, math.log(3 / 4), math.log(4 / 3))):
        assert values.min() == pytest.approx(low, abs=0.01)
        assert values.max() == pytest.approx(high, abs=0.01)
        assert values.mean() == pytest.approx((low + high) / 2, abs=0.005)
        assert values.std() == pytest.approx((high - low) / math.sqrt(12), rel=0.02)


def test_color_changes_brightness_contrast_and_saturation(theirs: Any) -> None:
    pictures, chance = images(), chances(6)
    factors = 1 + (chance[:, Draw.COLOR : Draw.COLOR + 3] * 2 - 1) * 0.4

    def coloured(picture: Tensor, *by: float) -> Tensor:
        for name, factor in zip(("brightness", "contrast", "saturation"), by, strict=True):
            picture = getattr(theirs, f"adjust_{name}")(picture, factor)
        return picture

    assert_near(augment(pictures, Augment(color=0.4), chance), each(coloured, pictures, *factors.T), share=0.01)


def test_erase_paints_a_rectangle() -> None:
    pictures, chance = images(500), chances(500)
    ours = augment(pictures, Augment(erase=0.5), chance, (0.2, 0.4, 0.6))
    paint = torch.tensor([51, 102, 153], dtype=torch.uint8)[:, None, None]
    changed = (ours == paint).all(dim=1)
    assert ours.where(changed[:, None], pictures).equal(ours)  # nothing else moved
    erased = changed.flatten(1).any(1)
    assert 0.4 < erased.float().mean() < 0.6
    for mask in changed[erased]:
        rows, columns = mask.any(1), mask.any(0)
        assert mask.equal(rows[:, None] & columns[None, :])
    shares = changed[erased].float().mean(dim=(1, 2))
    assert shares.max() < 0.36
    assert shares.mean() == pytest.approx(0.17, abs=0.03)


def test_each_distortion_is_torchvision_s(theirs: Any) -> None:
    """Both policies: every distortion at its magnitudes, through torchvision's own method."""
    automatic = import_module("torchvision.transforms.v2")
    classes: dict[policies.Policy, Any] = {
        "randaugment": automatic.RandAugment,
        "trivialaugment": automatic.TrivialAugmentWide,
    }
    for policy, class_ in classes.items():
        made = class_()
        space = made._AUGMENTATION_SPACE
        assert len(space) == len(policies.DISTORTIONS)
        levels = [9] if policy == "randaugment" else [0, 7, 15, 30]
        for number, (name, (magnitudes, signed)) in enumerate(space.items()):
            for level in levels:
                for sign in (-1, 1) if signed else (1,):
                    by = magnitudes(31, 20, 26)
                    # Rounded: torch.linspace makes 15.999999 of 16, and a translation takes the whole part.
                    amount = 0.0 if by is None else round(sign * float(by[level]), 4)
                    pictures = images()
                    expected = torch.stack(
                        [made._apply_image_or_video_transform(one, name, amount, "nearest", {}) for one in pictures]
                    )
                    which = (number + 0.5) / len(space)
                    row = torch.tensor([which, (level + 0.5) / 31, 0.25 if sign < 0 else 0.75, 0.01, 0.5, 0.5])
                    ours = policies.distorted(pictures, policy, row.repeat(6, 1))
                    assert_near(ours, expected, most=255 if "Rotate" in name or "Shear" in name else 1, share=0.02)


def test_a_policy_changes_each_image_by_its_own_numbers() -> None:
    pictures, chance = images(60), chances(60)
    for policy in get_args(policies.Policy):
        how = Augment(policy=policy)
        together = augment(pictures, how, chance)
        alone = torch.cat([augment(pictures[[row]], how, chance[[row]]) for row in range(60)])
        assert together.equal(alone)
        assert not together.equal(pictures)


def test_everything_at_once_is_each_image_s_own() -> None:
    how = Augment(flip=True, crop=2, shift=1, rotate=9, scale=(0.5, 1.0), color=0.2, erase=0.4)
    pictures, chance = images(30), chances(30)
    together = augment(pictures, how, chance)
    alone = torch.cat([augment(pictures[[row]], how, chance[[row]]) for row in range(30)])
    assert together.equal(alone)
    assert augment(pictures, Augment(), chance) is pictures


def batch(count: int = 8) -> tuple[Tensor, Tensor]:
    return torch.rand(count, 3, 12, 10, generator=draws.generator(1)), torch.arange(count) % 5


def test_mixup_blends_pairs() -> None:
    pictures, labels = batch()
    mixed, targets = mix(pictures, labels, 5, mixup=0.4, cutmix=0, generator=draws.generator(4))
    share = float(targets[0, 0])
    assert 0 < share < 1
    for left in range(0, 8, 2):
        for one, other in ((left, left + 1), (left + 1, left)):
            torch.testing.assert_close(mixed[one], pictures[one] * share + pictures[other] * (1 - share))
            expected = torch.zeros(5)
            expected[labels[one]] += share
            expected[labels[other]] += 1 - share
            torch.testing.assert_close(targets[one], expected)


def test_cutmix_pastes_a_rectangle_and_counts_its_area() -> None:
    pictures, labels = batch()
    sizes = set()
    for seed in range(20):
        mixed, targets = mix(pictures, labels, 5, mixup=0, cutmix=1.0, generator=draws.generator(seed))
        own = (mixed == pictures).all(dim=1)
        other = (mixed == pictures[[1, 0, 3, 2, 5, 4, 7, 6]]).all(dim=1)
        assert bool((own ^ other).all())
        assert own.equal(own[:1].expand_as(own))
        torch.testing.assert_close(targets[0, 0], own[0].float().mean())
        torch.testing.assert_close(targets.sum(1), torch.ones(8))
        sizes.add(int(other[0].sum()))
    assert len(sizes) > 8


def test_amounts_are_of_the_beta_distribution() -> None:
    pictures, labels = torch.zeros(2, 1, 1, 1), torch.tensor([0, 1])
    for alpha in (0.2, 1.0):
        generator = draws.generator(2)
        shares = torch.tensor(
            [float(mix(pictures, labels, 2, mixup=alpha, cutmix=0, generator=generator)[1][0, 0]) for _ in range(2000)]
        )
        expected = torch.distributions.Beta(alpha, alpha)
        assert shares.mean() == pytest.approx(0.5, abs=0.03)
        assert shares.var() == pytest.approx(float(expected.variance), rel=0.06)


def test_processes_mix_as_one_does() -> None:
    pictures, labels = batch()
    for mixup, cutmix in ((0.4, 0.0), (0.0, 1.0), (0.4, 1.0)):
        for seed in range(6):

            def mixed(part: slice, mixup: float = mixup, cutmix: float = cutmix, seed: int = seed) -> Any:
                generator = draws.generator(seed)
                return mix(pictures[part], labels[part], 5, mixup=mixup, cutmix=cutmix, generator=generator)

            whole, first, second = mixed(slice(8)), mixed(slice(4)), mixed(slice(4, 8))
            for one, *halves in zip(whole, first, second, strict=True):
                assert one.equal(torch.cat(halves))


def test_an_odd_one_out_is_mixed_with_itself() -> None:
    pictures, labels = batch(3)
    mixed, targets = mix(pictures, labels, 5, mixup=0.4, cutmix=0, generator=draws.generator(4))
    torch.testing.assert_close(mixed[2], pictures[2])
    assert targets[2].tolist() == [0, 0, 1, 0, 0]
