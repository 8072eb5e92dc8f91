"""Variations of properties that differ between hospitals: resolution, compression, noise, texture, spectrum.

Every function takes images [N, 1, S, S] in [0, 1] and the probability that an image is varied, and returns images of
the same shape in [0, 1]. At probability 0 no random number is drawn and nothing changes.
"""

import math
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from training.augmentation.draw import Draw

SIDES: Final = tuple(side / 224 for side in (72, 88, 104, 120, 136, 160, 184, 208))
"""Possible original resolutions, as shares of the image's side."""

QUALITY: Final = (30.0, 95.0)  # quality of a JPEG
VARIANCE: Final = (0.002, 0.02)  # standard deviation of additive and multiplicative noise; 0.01 in Mai & Hall 2025
PHOTONS: Final = (2.0**5, 2.0**9)  # at white; fewer photons mean stronger quantum noise
SALT_AND_PEPPER: Final = 0.05  # largest share of the pixels, as in Mai & Hall 2025
LOW_FREQUENCIES: Final = 0.05  # cycles per pixel up to which the amplitudes of two images are mixed

# ITU-T T.81 (JPEG), table K.1: the quantisation of luminance at quality 50, row by row.
_LUMINANCE: Final = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


def low_resolution(images: Tensor, probability: float, draw: Draw) -> Tensor:
    """Shrink to one of `SIDES` with antialiasing, and enlarge again: detectors and archives differ in resolution.

    The side depends on the image's position in the batch, whose order is random. Drawing it would make the GPU wait.
    """
    if not probability:
        return images
    side, reduced = images.shape[-1], images.clone()
    for place, share in enumerate(SIDES[: len(images)]):
        part = images[place :: len(SIDES)]
        small = F.interpolate(part, size=round(side * share), mode="bilinear", antialias=True)
        reduced[place :: len(SIDES)] = F.interpolate(small, size=side, mode="bilinear")
    return torch.where(draw.bernoulli(probability), reduced, images)


def jpeg(images: Tensor, probability: float, draw: Draw) -> Tensor:
    """The loss of JPEG on a grey image at a random quality: a quantised 8 x 8 cosine transform, without the coding."""
    if not probability:
        return images
    side = images.shape[-1]
    padding = -side % 8
    padded = F.pad(images, (0, padding, 0, padding), mode="replicate") * 255 - 128
    blocks = padded.unflatten(3, (-1, 8)).unflatten(2, (-1, 8)).transpose(3, 4)  # [N, 1, rows, columns, 8, 8]
    cosine = _cosine(images.device)
    steps = _quantisation(draw.uniform(*QUALITY))
    coefficients = torch.round(cosine @ blocks @ cosine.T / steps) * steps
    restored = (cosine.T @ coefficients @ cosine).transpose(3, 4).flatten(4, 5).flatten(2, 3)
    stored = torch.round(restored[..., :side, :side] + 128) / 255
    return torch.where(draw.bernoulli(probability), stored.clamp(0, 1), images)


def _cosine(device: torch.device) -> Tensor:
    """[8, 8] the orthonormal DCT-II: row k is the k-th frequency."""
    place = torch.arange(8, device=device, dtype=torch.float32)
    matrix = torch.cos(math.pi / 8 * (place + 0.5) * place[:, None]) / 2
    matrix[0] /= math.sqrt(2)
    return matrix


def _quantisation(quality: Tensor) -> Tensor:
    """[N, 1, 1, 1, 8, 8] from qualities [N, 1, 1, 1], by the rule of the Independent JPEG Group's library (libjpeg)."""
    scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)[..., None, None]
    table = torch.tensor(_LUMINANCE, device=quality.device, dtype=torch.float32)
    return ((table * scale + 50) / 100).floor().clamp(1, 255)


def one_noise(images: Tensor, probability: float, draw: Draw) -> Tensor:
    """One of four: Gaussian, speckle, Poisson, salt and pepper (Mai & Hall 2025, arXiv 2511.03855), at random strength.

    Poisson noise is approximated by normal noise of the same variance, which is accurate except in the darkest pixels.
    """
    if not probability:
        return images
    images = images.clamp(0, 1)  # a square root follows
    kind, strength = draw.uniform(0, 4).floor(), draw.uniform(*VARIANCE).sqrt()
    photons = 2 ** draw.uniform(*(math.log2(count) for count in PHOTONS))
    poisson = (images / photons).sqrt()
    deviation = torch.where(kind == 0, strength, torch.where(kind == 1, strength * images, poisson))
    grainy = images + deviation * draw.normal_like(images)
    where, share = draw.uniform_like(images), draw.uniform(0, SALT_AND_PEPPER)
    salted = torch.where(where < share, (where < share / 2).to(images.dtype), images)
    return torch.where(draw.bernoulli(probability), torch.where(kind == 3, salted, grainy).clamp(0, 1), images)


def random_convolution(images: Tensor, probability: float, draw: Draw) -> Tensor:
    """Mix an image with its convolution by a random 3, 5 or 7 pixel kernel (RandConv, Xu et al. 2021).

    The convolved image is scaled to the original's mean and standard deviation, and a kernel's sum is made positive:
    textures change, but white stays bright. The share of the mixture is uniform.
    """
    if not probability:
        return images
    count = len(images)
    kernels = draw.normal_like(images.new_empty(count, 1, 7, 7))
    distance = (torch.arange(7, device=images.device) - 3).abs()
    radius = draw.uniform(1, 4).floor()
    kernels = kernels * (torch.maximum(distance[:, None], distance) <= radius)
    kernels = torch.where(kernels.sum(dim=(2, 3), keepdim=True) < 0, -kernels, kernels)
    padded = F.pad(images, (3, 3, 3, 3), mode="reflect").transpose(0, 1)
    textured = F.conv2d(padded, kernels, groups=count).transpose(0, 1)
    textured = (textured - _mean(textured)) / (_deviation(textured) + 1e-6) * _deviation(images) + _mean(images)
    return torch.where(draw.bernoulli(probability), images.lerp(textured, draw.uniform(0, 1)).clamp(0, 1), images)


def mix_amplitudes(images: Tensor, probability: float, draw: Draw) -> Tensor:
    """Mix in another image's amplitudes at low frequencies and keep the phases (Yang & Soatto 2020, FDA).

    The other image is the next of the batch, from any source; the share is uniform. Low frequencies encode exposure and
    processing, phases encode positions.
    """
    if not probability:
        return images
    side = images.shape[-1]
    spectrum = torch.fft.rfft2(images)
    amplitude = spectrum.abs()
    down, across = torch.fft.fftfreq(side, device=images.device), torch.fft.rfftfreq(side, device=images.device)
    low = (down.abs()[:, None] <= LOW_FREQUENCIES) & (across <= LOW_FREQUENCIES)
    share = draw.uniform(0, 1) * draw.bernoulli(probability) * low
    gain = 1 + share * (amplitude.roll(1, 0) / (amplitude + 1e-6) - 1)
    mixed: Tensor = torch.fft.irfft2(spectrum * gain, s=(side, side))
    return mixed.clamp(0, 1)


def _mean(images: Tensor) -> Tensor:
    return images.mean(dim=(2, 3), keepdim=True)


def _deviation(images: Tensor) -> Tensor:
    return images.std(dim=(2, 3), keepdim=True)
