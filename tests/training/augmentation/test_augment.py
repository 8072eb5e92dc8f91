"""Variations: nothing at strength 0, exact where they can be, and never outside the grey range."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from training.augmentation.augment import GENTLE, STRONG, Augmentation, affine_grid, augment

HYPERPARAMETERS = [field.name for field in dataclasses.fields(Augmentation)]
CERTAIN = ("flip", "blur", "erase", "resolution", "jpeg", "noise_family", "random_convolution")  # probabilities
SIDE = 48


@pytest.fixture(scope="module")
def images() -> Tensor:
    rng = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (16, 1, SIDE, SIDE), dtype=torch.uint8, generator=rng)
    noise[0], noise[1] = 0, 255
    return noise


def smooth() -> Tensor:
    """One grey disc, right of the centre and a little below."""
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, SIDE)] * 2, indexing="ij")
    disc = 200 * torch.exp(-(((x - 0.4) ** 2 + (y - 0.1) ** 2) / 0.05))
    return disc.to(torch.uint8)[None, None]


def vary(images: Tensor, how: Augmentation, seed: int = 0) -> Tensor:
    return augment(images, how, torch.Generator().manual_seed(seed))


def centre(image: Tensor) -> tuple[float, float]:
    """(x, y) of the mass, as shares of the half side from the centre."""
    axis = (torch.arange(SIDE) + 0.5) / SIDE * 2 - 1
    mass = image.squeeze()
    return float((mass.sum(0) * axis).sum() / mass.sum()), float((mass.sum(1) * axis).sum() / mass.sum())


def only(name: str, value: float) -> Augmentation:
    return dataclasses.replace(Augmentation(), **{name: value})


def test_strength_zero_changes_nothing(images: Tensor) -> None:
    torch.testing.assert_close(vary(images, Augmentation()), images.float(), rtol=0, atol=2e-3)


def test_black_stays_black() -> None:
    assert not vary(torch.zeros(2, 1, SIDE, SIDE, dtype=torch.uint8), only("gamma", 0.5)).any()


def test_flip_mirrors_left_and_right(images: Tensor) -> None:
    torch.testing.assert_close(vary(images, only("flip", 1.0)), images.flip(3).float(), rtol=0, atol=2e-3)


def test_half_the_images_are_flipped() -> None:
    batch = smooth().expand(200, -1, -1, -1)
    flipped = sum(centre(image)[0] < 0 for image in vary(batch, only("flip", 0.5)))
    assert 70 < flipped < 130


@pytest.mark.parametrize("how", [GENTLE, STRONG], ids=["gentle", "strong"])
@pytest.mark.parametrize("side", [32, 33, SIDE])
def test_presets_keep_shape_and_range(how: Augmentation, side: int, images: Tensor) -> None:
    varied = vary(images[..., :side, :side].contiguous(), how)
    assert varied.shape == (16, 1, side, side)
    assert varied.dtype == torch.float32
    assert varied.min() >= 0
    assert varied.max() <= 255
    assert varied.isfinite().all()


@pytest.mark.parametrize("name", [name for name in HYPERPARAMETERS if name != "amplitude_mix"])  # needs a second image
def test_every_hyperparameter_changes_the_image_and_nothing_else_is_needed(name: str) -> None:
    strength = 20.0 if name == "rotation" else 1.0 if name in CERTAIN else 0.3
    batch = smooth().expand(8, -1, -1, -1)
    varied = vary(batch, only(name, strength))
    assert ((varied - batch).abs().amax(dim=(1, 2, 3)) > 1).sum() >= 6
    assert name in ("flip", "blur") or not torch.equal(varied[0], varied[1]), "images vary independently"


@pytest.mark.parametrize("how", [GENTLE, STRONG], ids=["gentle", "strong"])
def test_the_generator_is_the_only_source_of_randomness(how: Augmentation, images: Tensor) -> None:
    torch.manual_seed(1)
    first = vary(images, how)
    torch.manual_seed(2)
    assert torch.equal(vary(images, how), first)
    assert not torch.equal(vary(images, how, seed=1), first)


def test_the_batch_itself_is_not_touched(images: Tensor) -> None:
    before = images.clone()
    vary(images, STRONG)
    assert torch.equal(images, before)


# --- Single variations


def test_translation_stays_within_its_share() -> None:
    x0, y0 = centre(smooth().float())
    shifts = [centre(image) for image in vary(smooth().expand(64, -1, -1, -1), only("translation", 0.1))]
    for moved, start in ((0, x0), (1, y0)):
        distances = [abs(shift[moved] - start) / 2 for shift in shifts]  # a side is 2 half sides
        assert 0.07 < max(distances) <= 0.105


def test_the_grid_is_torchs() -> None:
    theta = torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(0))
    x_row, y_row = ([number.view(5, 1, 1, 1) for number in theta[:, row].T] for row in (0, 1))
    expected = F.affine_grid(theta, [5, 1, SIDE, SIDE], align_corners=False)
    torch.testing.assert_close(affine_grid(x_row, y_row, SIDE), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_rotation_of_an_image_or_its_mirror_image_keeps_distance_and_mass(flip: float) -> None:
    x0, y0 = centre(smooth().float())
    for image in vary(smooth().expand(32, -1, -1, -1), Augmentation(rotation=30.0, flip=flip)):
        x, y = centre(image)
        assert (x**2 + y**2) ** 0.5 == pytest.approx((x0**2 + y0**2) ** 0.5, abs=0.02)
        assert image.sum() == pytest.approx(float(smooth().sum()), rel=0.02)


def test_scale_changes_the_area_by_its_square_at_most() -> None:
    ratios = vary(smooth().expand(64, -1, -1, -1), only("scale", 0.2)).sum(dim=(1, 2, 3)) / smooth().sum()
    low, high = float(ratios.min()), float(ratios.max())
    assert 0.66 < low < 0.75
    assert 1.33 < high < 1.52  # exp(±0.4) = 0.67 and 1.49


def test_contrast_and_brightness_keep_what_they_should() -> None:
    flat = torch.full((32, 1, SIDE, SIDE), 100, dtype=torch.uint8)
    assert (vary(flat, only("contrast", 0.5)) - 100).abs().max() < 0.1
    levels = vary(flat, only("brightness", 0.2)).mean(dim=(1, 2, 3))
    assert 20 < float(levels.max() - levels.min()) <= 0.4 * 255
    assert float((levels - 100).abs().max()) <= 51.1


def test_contrast_stretches_about_the_mean() -> None:
    grey = (100 + smooth() // 10).to(torch.uint8)
    mean = grey.float().mean()
    before, after = grey - mean, vary(grey.expand(16, -1, -1, -1), only("contrast", 0.3)) - mean
    gains = (after * before).sum(dim=(2, 3), keepdim=True) / before.square().sum()
    torch.testing.assert_close(after, gains * before, rtol=0, atol=0.01)
    assert 0.74 < float(gains.min()) < 0.9
    assert 1.1 < float(gains.max()) < 1.35


def test_noise_is_at_most_as_strong_as_it_says() -> None:
    flat = torch.full((64, 1, SIDE, SIDE), 128, dtype=torch.uint8)
    deviations = vary(flat, only("noise", 0.05)).std(dim=(1, 2, 3)) / 255
    assert 0.04 < float(deviations.max()) < 0.0525
    assert float(deviations.min()) < 0.01


def test_a_blurred_image_has_lost_its_finest_detail() -> None:
    checkers = ((torch.arange(SIDE)[:, None] + torch.arange(SIDE)) % 2 * 255).to(torch.uint8)[None, None]
    assert vary(checkers, only("blur", 1.0)).std() < 1


def test_an_erased_rectangle_has_the_images_mean_and_the_right_size() -> None:
    halves = torch.zeros(64, 1, SIDE, SIDE, dtype=torch.uint8)
    halves[..., SIDE // 2 :] = 200
    varied = vary(halves, only("erase", 1.0))
    erased = (varied - 100).abs() < 1
    share = erased.float().mean(dim=(1, 2, 3))
    assert float(share.max()) <= 0.21
    assert torch.equal(varied[~erased].round(), halves[~erased].float())
    assert (share > 0.01).float().mean() > 0.5
