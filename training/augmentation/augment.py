"""Random variations of a batch, on the training device, after the cached pre-processing.

They imitate the differences between two radiographs of one patient: the position and size of the chest in the field,
exposure, sharpness and noise of the detector, and a device or marker in front of the lungs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from training.augmentation.draw import Draw
from training.augmentation.styles import jpeg, low_resolution, mix_amplitudes, one_noise, random_convolution


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Half-widths of the uniform distributions that variations are drawn from, or probabilities. 0 switches off."""

    rotation: float = 0.0  # degrees
    translation: float = 0.0  # share of the side
    scale: float = 0.0  # log of the magnification
    aspect: float = 0.0  # log of the ratio width : height, because frames are scaled to a square
    flip: float = 0.0  # probability; mirrors the heart, as dextrocardia and mislabelled images do
    brightness: float = 0.0  # share of the grey range
    contrast: float = 0.0  # log of the gain
    gamma: float = 0.0  # log of the exponent
    blur: float = 0.0  # probability of losing half of the resolution
    noise: float = 0.0  # largest standard deviation, share of the grey range
    erase: float = 0.0  # probability of a grey rectangle over 2 to 20 % of the image
    resolution: float = 0.0  # probability of coming from a lower resolution, a side of 72 to 208 pixels of 224
    jpeg: float = 0.0  # probability of having been a JPEG, of quality 30 to 95
    noise_family: float = 0.0  # probability of Gaussian, speckle, Poisson, or salt and pepper noise
    random_convolution: float = 0.0  # probability of a share of a random convolution of itself
    amplitude_mix: float = 0.0  # probability of a share of another image's amplitudes at low frequencies


GENTLE = Augmentation(rotation=5, translation=0.04, scale=0.05, brightness=0.1, contrast=0.1)
STRONG = Augmentation(
    rotation=12,
    translation=0.08,
    scale=0.18,
    aspect=0.1,
    flip=0.5,
    brightness=0.15,
    contrast=0.25,
    gamma=0.25,
    blur=0.2,
    noise=0.03,
    erase=0.3,
)


def augment(images: Tensor, how: Augmentation, generator: torch.Generator) -> Tensor:
    """Vary each image of a batch independently.

    Args:
        images: [N, 1, S, S] uint8 on the generator's device.
        how: the strengths.
        generator: the only random generator that is used.

    Returns:
        [N, 1, S, S] float32 in [0, 255].
    """
    draw = Draw(len(images), generator)
    return _disturb(_warp(images / 255, how, draw), how, draw)


def augment_with_masks(
    images: Tensor, masks: Tensor, how: Augmentation, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The same, with masks [N, M, S, S] in [0, 1], which follow the geometric changes only."""
    draw = Draw(len(images), generator)
    warped = _warp(torch.cat([images / 255, masks.float()], dim=1), how, draw)
    return _disturb(warped[:, :1], how, draw), warped[:, 1:]


def _disturb(images: Tensor, how: Augmentation, draw: Draw) -> Tensor:
    styled = random_convolution(mix_amplitudes(images, how.amplitude_mix, draw), how.random_convolution, draw)
    blurred = low_resolution(_blur(styled, how, draw), how.resolution, draw)
    exposed = one_noise(_exposure(blurred, how, draw), how.noise_family, draw)
    return jpeg(_erase(exposed, how, draw).clamp(0, 1), how.jpeg, draw) * 255


def _warp(images: Tensor, how: Augmentation, draw: Draw) -> Tensor:
    """Rotation, scale, aspect, mirror and shift in one bilinear resampling; outside is black, as collimation is."""
    angle = draw.around(how.rotation) * (math.pi / 180)
    zoom, aspect = draw.around(how.scale).exp(), draw.around(how.aspect).exp()
    mirror = torch.where(draw.bernoulli(how.flip), -1.0, 1.0)
    x_row = [mirror * zoom * aspect * angle.cos(), -zoom * angle.sin(), 2 * draw.around(how.translation)]
    y_row = [mirror * zoom * angle.sin(), zoom / aspect * angle.cos(), 2 * draw.around(how.translation)]
    grid = affine_grid(x_row, y_row, images.shape[-1])
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def affine_grid(x_row: Sequence[Tensor], y_row: Sequence[Tensor], side: int) -> Tensor:
    """`F.affine_grid` of the matrices with these rows, each three of [N, 1, 1, 1]: [N, side, side, 2].

    In one pass over what is large: PyTorch's product of matrices took 0.6 ms of a ResNet-18's step of 17 ms.
    """
    across, down, shift = (torch.cat(of_both, dim=3) for of_both in zip(x_row, y_row, strict=True))
    centres = (2 * torch.arange(side, device=shift.device) + 1) / side - 1
    return (across * centres.view(1, 1, side, 1) + shift) + down * centres.view(1, side, 1, 1)


def _blur(images: Tensor, how: Augmentation, draw: Draw) -> Tensor:
    if not how.blur:
        return images
    halved = F.interpolate(F.avg_pool2d(images, 2), images.shape[-2:], mode="bilinear")
    return torch.where(draw.bernoulli(how.blur), halved, images)


def _exposure(images: Tensor, how: Augmentation, draw: Draw) -> Tensor:
    exposed = images ** draw.around(how.gamma).exp()
    gain, offset = draw.around(how.contrast).exp(), draw.around(how.brightness)
    mean = exposed.mean(dim=(2, 3), keepdim=True)
    exposed = torch.addcmul(mean - mean * gain + offset, exposed, gain)  # the mean stays; one pass over the images
    if not how.noise:
        return exposed
    return exposed + draw.normal_like(images) * draw.uniform(0, how.noise)


def _erase(images: Tensor, how: Augmentation, draw: Draw) -> Tensor:
    """Random erasing (Zhong et al. 2020) with the image's mean grey."""
    if not how.erase:
        return images
    side = images.shape[-1]
    area, ratio = draw.uniform(0.02, 0.2), draw.around(math.log(2)).exp()
    half_width, half_height = (area * ratio).sqrt() / 2, (area / ratio).sqrt() / 2
    position = (torch.arange(side, device=images.device) + 0.5) / side
    inside_x = (position.view(1, 1, 1, side) - draw.uniform(0, 1)).abs() < half_width
    inside_y = (position.view(1, 1, side, 1) - draw.uniform(0, 1)).abs() < half_height
    inside = inside_x & inside_y & draw.bernoulli(how.erase)
    return torch.where(inside, images.mean(dim=(2, 3), keepdim=True), images)
