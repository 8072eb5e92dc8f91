"""How many pixels hold which value: to find percentiles, and images that show nothing."""

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cxr.errors import UniformImage

Counts = NDArray[np.int64]

# An image of which this share, or more, lies within one step of one value shows nothing.
_ALIKE: Final = 0.98
_SAMPLE: Final = 1 << 16  # pixels
_COUNTED_AT_ONCE: Final = 1 << 22  # pixels; np.bincount copies them to 64 bits


def sample_step(shape: tuple[int, ...]) -> int:
    """Every how many rows and columns to look for about 65,536 pixels; 1 for an image that is no larger."""
    return max(1, math.isqrt(math.prod(shape) // _SAMPLE))


def counts(words: NDArray[Any]) -> Counts:
    """Unsigned integers of 8 or 16 bits, any shape → [2^8] or [2^16]: how often each is there."""
    flat = words.reshape(-1)
    total = np.zeros(1 << 8 * words.dtype.itemsize, np.int64)
    for start in range(0, flat.size, _COUNTED_AT_ONCE):
        total += np.bincount(flat[start : start + _COUNTED_AT_ONCE], minlength=len(total))
    return total


def nearly_alike(by_value: NDArray[Any]) -> bool:
    """Whether 98 % of what is counted lies within one step of one value. `by_value`: counts of rising values."""
    padded = np.pad(by_value, 1)
    within_one_step = padded[:-2] + padded[1:-1] + padded[2:]
    return bool(within_one_step.max() >= _ALIKE * by_value.sum())


def check_varied(pixels: NDArray[np.uint8]) -> None:
    """Refuse an image whose pixels are nearly all alike (UniformImage). Most images are told by a sample."""
    step = sample_step(pixels.shape)
    if nearly_alike(counts(pixels[::step, ::step])) and (step == 1 or nearly_alike(counts(pixels))):
        raise UniformImage


def percentiles(values: NDArray[np.float64], counted: Counts, percents: tuple[float, float]) -> tuple[float, float]:
    """np.percentile of an image that holds each value so many times."""
    order = np.argsort(values, kind="stable")
    values, cumulative = values[order], np.cumsum(counted[order])
    last = int(cumulative[-1]) - 1

    def order_statistic(rank: int) -> float:
        return float(values[np.searchsorted(cumulative, rank, side="right")])

    def percentile(percent: float) -> float:
        rank = percent / 100 * last
        below = order_statistic(math.floor(rank))
        return below + (order_statistic(math.ceil(rank)) - below) * (rank - math.floor(rank))

    return percentile(percents[0]), percentile(percents[1])
