"""Histograms of pixel values, to compute percentiles and to detect images that show nothing."""

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cxr.errors import UniformImage

Counts = NDArray[np.int64]

# An image shows nothing if at least this share of it lies within one step of a single value.
_ALIKE: Final = 0.98
_SAMPLE: Final = 1 << 13  # pixels
_COUNTED_AT_ONCE: Final = 1 << 22  # pixels; np.bincount copies them to 64 bits


def sample_step(shape: tuple[int, ...]) -> int:
    """The step in rows and columns that samples about 8,192 pixels; 1 for an image that is no larger."""
    return max(1, math.isqrt(math.prod(shape) // _SAMPLE))


def counts(words: NDArray[Any]) -> Counts:
    """Unsigned integers of 8 or 16 bits, any shape → [2^8] or [2^16]: how often each value occurs."""
    flat, different = words.reshape(-1), 1 << 8 * words.dtype.itemsize
    total = np.bincount(flat[:_COUNTED_AT_ONCE], minlength=different)
    for start in range(_COUNTED_AT_ONCE, flat.size, _COUNTED_AT_ONCE):
        total += np.bincount(flat[start : start + _COUNTED_AT_ONCE], minlength=different)
    return total


def nearly_alike(values: NDArray[Any], counted: Counts) -> bool:
    """Whether 98 % of an image lies within one step of its commonest value. `counted`: how often each occurs."""
    if not counted.any():
        return True
    near = np.abs(values.astype(np.int64) - int(values[counted.argmax()])) <= 1
    return bool(counted[near].sum() >= _ALIKE * counted.sum())


def check_varied(pixels: NDArray[np.uint8]) -> None:
    """Refuse an image whose pixels are nearly all alike (UniformImage). For most images a sample decides."""
    step = sample_step(pixels.shape)
    if _nearly_alike(pixels[::step, ::step]) and (step == 1 or _nearly_alike(pixels)):
        raise UniformImage


def _nearly_alike(pixels: NDArray[np.uint8]) -> bool:
    """The same for 8 bits. Between two inferences, lists of 256 take a third of the time of arrays."""
    counted: list[int] = counts(pixels).tolist()
    commonest = counted.index(max(counted))
    return sum(counted[max(0, commonest - 1) : commonest + 2]) >= _ALIKE * pixels.size


def percentiles(values: NDArray[np.float64], counted: Counts, percents: tuple[float, float]) -> tuple[float, float]:
    """np.percentile of an image, from how often each value occurs in it."""
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
