"""Styles: each changes the drawn images in its own way, and leaves the others unchanged."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from training.augmentation.draw import Draw
from training.augmentation.styles import (
    LOW_FREQUENCIES,
    SIDES,
    jpeg,
    low_resolution,
    mix_amplitudes,
    one_noise,
    random_convolution,
)

Style = Callable[[Tensor, float, Draw], Tensor]
STYLES = [low_resolution, jpeg, one_noise, random_convolution, mix_amplitudes]
SIDE = 64


@pytest.fixture(scope="module")
def images() -> Tensor:
    """Smooth blobs with some texture, different in each image."""
    rng = torch.Generator().manual_seed(0)
    coarse = torch.rand(64, 1, 6, 6, generator=rng)
    blobs = torch.nn.functional.interpolate(coarse, size=SIDE, mode="bicubic").clamp(0, 1)
    return (0.8 * blobs + 0.1 + 0.05 * torch.rand(blobs.shape, generator=rng)).clamp(0, 1)


def draw(count: int, seed: int = 0) -> Draw:
    return Draw(count, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("style", STYLES)
def test_probability_is_the_share_of_images_that_change(style: Style, images: Tensor) -> None:
    assert style(images, 0.0, draw(64)) is images
    changed = (style(images, 0.5, draw(64)) - images).abs().amax(dim=(1, 2, 3)) > 1e-4
    assert 16 <= int(changed.sum()) <= 48


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("side", [33, SIDE])
def test_shape_and_range_are_kept_and_the_generator_is_the_only_source(style: Style, side: int, images: Tensor) -> None:
    batch = images[..., :side, :side].contiguous()
    varied = style(batch, 1.0, draw(64))
    assert varied.shape == batch.shape
    assert varied.isfinite().all()
    assert varied.min() >= 0
    assert varied.max() <= 1
    assert torch.equal(varied, style(batch, 1.0, draw(64)))


def test_a_small_batch_has_fewer_resolutions(images: Tensor) -> None:
    assert low_resolution(images[:3], 1.0, draw(3)).shape == (3, 1, SIDE, SIDE)


def test_a_lower_resolution_loses_what_is_fine_and_keeps_the_mean() -> None:
    noise = torch.rand(len(SIDES), 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    left = low_resolution(noise, 1.0, draw(len(SIDES)))
    deviations = left.std(dim=(1, 2, 3))
    assert torch.equal(deviations, deviations.sort().values), "the sides grow"
    assert deviations[0] < 0.4 * noise.std()
    torch.testing.assert_close(left.mean(dim=(1, 2, 3)), noise.mean(dim=(1, 2, 3)), rtol=0, atol=0.02)


@pytest.mark.parametrize("quality", [35, 60, 90])
def test_jpeg_is_what_a_jpeg_file_holds(quality: int, images: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.augmentation.styles.QUALITY", (float(quality), float(quality)))
    whole = (images[:4] * 255).round()
    ours = jpeg(whole / 255, 1.0, draw(4)) * 255
    for image, made in zip(whole, ours, strict=True):
        file = BytesIO()
        Image.fromarray(image[0].numpy().astype(np.uint8)).save(file, "JPEG", quality=quality)
        stored = np.asarray(Image.open(file), dtype=np.float32)
        difference = np.abs(stored - made[0].numpy())
        assert difference.mean() < 0.5, "libjpeg computes in whole numbers: a coefficient may round to the next"
        assert (difference > 2).mean() < 0.06


def test_noises_are_of_four_kinds() -> None:
    grey = torch.full((256, 1, SIDE, SIDE), 0.25)
    varied = one_noise(grey, 1.0, draw(256))
    untouched = (varied == 0.25).float().mean(dim=(1, 2, 3))
    salted = untouched > 0.9
    assert 40 <= int(salted.sum()) <= 90
    assert set(varied[salted].unique().tolist()) == {0.0, 0.25, 1.0}
    deviations = varied[~salted].std(dim=(1, 2, 3))
    assert deviations.max() < 0.15
    assert deviations.min() > 0.005
    assert (one_noise(torch.zeros_like(grey), 1.0, draw(256)).amax(dim=(1, 2, 3)) == 0).float().mean() > 0.4


def test_a_random_convolution_keeps_mean_and_spread_and_changes_texture(images: Tensor) -> None:
    varied = random_convolution(images, 1.0, draw(64))
    torch.testing.assert_close(varied.mean(dim=(2, 3)), images.mean(dim=(2, 3)), rtol=0, atol=0.05)
    assert (varied.std(dim=(2, 3)) <= images.std(dim=(2, 3)) * 1.05).all()
    centred = [batch - batch.mean(dim=(2, 3), keepdim=True) for batch in (varied, images)]
    assert ((centred[0] * centred[1]).sum(dim=(2, 3)) > 0).all(), "white stays bright"


def test_mixed_amplitudes_are_between_two_images_and_only_low_ones() -> None:
    rng = torch.Generator().manual_seed(2)
    images = 0.4 + 0.2 * torch.rand(2, 1, SIDE, SIDE, generator=rng)
    images[1] = images[1] * 0.5
    before, after = (torch.fft.rfft2(batch).abs() for batch in (images, mix_amplitudes(images, 1.0, draw(2))))
    high = int(LOW_FREQUENCIES * SIDE) + 1
    torch.testing.assert_close(before[..., high:-high, high:], after[..., high:-high, high:], rtol=1e-3, atol=1e-2)
    low = (slice(None), 0, slice(0, high), slice(0, high))
    inside = torch.minimum(before[low], before.roll(1, 0)[low]) - 1e-2 <= after[low]
    assert (inside & (after[low] <= torch.maximum(before[low], before.roll(1, 0)[low]) + 1e-2)).all()
    assert float(after[0, 0, 0, 0]) < float(before[0, 0, 0, 0])
    phases = [torch.fft.rfft2(batch).angle()[low] for batch in (images, mix_amplitudes(images, 1.0, draw(2)))]
    torch.testing.assert_close(phases[0], phases[1], rtol=0, atol=1e-2)
