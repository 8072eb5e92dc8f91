"""Training on mixtures of two images: mixup and CutMix, of a batch with its reverse."""

import numpy as np
from torch import Tensor


def mixup(inputs: Tensor, targets: Tensor, alpha: float, chance: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A convex combination of images and of their targets, one weight a batch (Zhang et al. 2018).

    Args:
        inputs: [N, 1, S, S].
        targets: [N, K] shares of each label, that sum to one.
        alpha: the weight is drawn from Beta(alpha, alpha).
        chance: of the draw.

    Returns:
        The same shapes.
    """
    weight = float(chance.beta(alpha, alpha))
    return inputs.lerp(inputs.flip(0), weight), targets.lerp(targets.flip(0), weight)


def cutmix(inputs: Tensor, targets: Tensor, alpha: float, chance: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A rectangle of every image comes from another one, and its share of the target (Yun et al. 2019).

    Its place and its area, before the frame cuts it, are drawn once a batch, the area from Beta(alpha, alpha).
    Arguments and result as for `mixup`; the inputs are changed in place.
    """
    height, width = inputs.shape[2:]
    side = float(chance.beta(alpha, alpha)) ** 0.5
    top, bottom = _span(height, side, chance)
    left, right = _span(width, side, chance)
    inputs[:, :, top:bottom, left:right] = inputs.flip(0)[:, :, top:bottom, left:right]
    return inputs, targets.lerp(targets.flip(0), (bottom - top) * (right - left) / (height * width))


def _span(length: int, share: float, chance: np.random.Generator) -> tuple[int, int]:
    """A piece of a line, about a centre drawn evenly from it; what lies beyond its ends is cut off."""
    centre, half = int(chance.integers(length)), round(length * share / 2)
    return max(0, centre - half), min(length, centre + half)
