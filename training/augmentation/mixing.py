"""Training on mixtures of two images: mixup and CutMix, of a batch with its reverse."""

import numpy as np
from torch import Tensor


def mixup(inputs: Tensor, targets: Tensor, alpha: float, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A convex combination of images and of their targets, with one weight per batch (Zhang et al. 2018).

    Args:
        inputs: [N, 1, S, S].
        targets: [N, K] shares of each label, which sum to 1.
        alpha: the weight is drawn from Beta(alpha, alpha).
        rng: random generator.

    Returns:
        The same shapes.
    """
    weight = float(rng.beta(alpha, alpha))
    return inputs.lerp(inputs.flip(0), weight), targets.lerp(targets.flip(0), weight)


def cutmix(inputs: Tensor, targets: Tensor, alpha: float, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Replace a rectangle of every image by that of another one, and mix the targets by area (Yun et al. 2019).

    Position and area are drawn once per batch, the area (before clipping at the border) from Beta(alpha, alpha).
    Arguments and result are those of `mixup`; the inputs are changed in place.
    """
    height, width = inputs.shape[2:]
    side = float(rng.beta(alpha, alpha)) ** 0.5
    top, bottom = _span(height, side, rng)
    left, right = _span(width, side, rng)
    inputs[:, :, top:bottom, left:right] = inputs.flip(0)[:, :, top:bottom, left:right]
    return inputs, targets.lerp(targets.flip(0), (bottom - top) * (right - left) / (height * width))


def _span(length: int, share: float, rng: np.random.Generator) -> tuple[int, int]:
    """An interval around a uniformly drawn centre, clipped to [0, length]."""
    centre, half = int(rng.integers(length)), round(length * share / 2)
    return max(0, centre - half), min(length, centre + half)
