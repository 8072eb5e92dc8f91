"""Stored values of up to 16 bits → 8-bit grey, through the DICOM greyscale pipeline.

Every step maps a stored value to another without looking at its neighbours. So the pipeline runs once, over a
table of all 2^8 or 2^16 values that a pixel can store, in float64, and the image is looked up in the result:
exact, and a few hundred times less work than over the pixels of a large radiograph.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float64]

_LOW_PERCENT: Final = 0.5
_HIGH_PERCENT: Final = 99.5
_COUNTED_AT_ONCE: Final = 1 << 22  # pixels; np.bincount copies them to 64 bits


@dataclass(frozen=True, slots=True)
class Lut:
    """A DICOM lookup table: `entries[0]` answers inputs up to `first`, the last one those beyond the end."""

    first: int
    bits: int
    entries: Table

    def __call__(self, values: Table) -> Table:
        index: Table = np.clip(np.rint(values) - self.first, 0, len(self.entries) - 1)
        return self.entries[index.astype(np.intp)]


@dataclass(frozen=True, slots=True)
class Window:
    """A DICOM window of at least one unit's width; values → 0 to 255 (PS3.3 C.11.2.1.2 and C.11.2.1.3)."""

    center: float
    width: float
    function: str = "LINEAR"

    def __call__(self, values: Table) -> Table:
        if self.function == "SIGMOID":
            steepness = np.clip(-4 * (values - self.center) / self.width, -60, 60)  # exp stays finite
            return 255 / (1 + np.exp(steepness))
        if self.function == "LINEAR_EXACT":
            return _ramp(values, self.center - self.width / 2, self.center + self.width / 2)
        low = self.center - 0.5 - (self.width - 1) / 2
        return _ramp(values, low, low + self.width - 1)


@dataclass(frozen=True, slots=True)
class Greyscale:
    """What a file says about the meaning of its stored values. The default is a file that says nothing.

    modality: applied first; voi: second, and the percentiles of the image where it is None
    padding:  the stored values from first to last fill the frame's corners and are no part of the image
    inverse:  low values are white
    """

    modality: Lut | tuple[float, float] = (1.0, 0.0)
    voi: Lut | Window | None = None
    padding: tuple[int, int] | None = None
    inverse: bool = False


def to_grey(stored: NDArray[Any], meaning: Greyscale) -> NDArray[np.uint8]:
    """[H, W] integers of 8 or 16 bits, signed or not, native byte order → [H, W] uint8, 0 to 255."""
    unsigned: NDArray[np.uint8] | NDArray[np.uint16] = np.ascontiguousarray(stored).view(f"u{stored.dtype.itemsize}")
    every_value = np.arange(1 << 8 * stored.dtype.itemsize, dtype=unsigned.dtype).view(stored.dtype)
    # Hostile slopes and centres overflow to infinity, which the clip below brings back.
    with np.errstate(all="ignore"):
        values = _modality(every_value.astype(np.float64), meaning.modality)
        if isinstance(meaning.voi, Lut):
            grey = meaning.voi(values) * (255 / (2**meaning.voi.bits - 1))
        elif meaning.voi is not None:
            grey = meaning.voi(values)
        else:
            grey = _ramp(values, *_percentiles(values, _counts(unsigned, every_value, meaning.padding)))
        table: NDArray[np.uint8] = np.rint(np.clip(np.nan_to_num(grey), 0, 255)).astype(np.uint8)
    return (255 - table if meaning.inverse else table)[unsigned]


def _modality(values: Table, modality: Lut | tuple[float, float]) -> Table:
    if isinstance(modality, Lut):
        return modality(values)
    slope, intercept = modality
    return np.nan_to_num(values * slope + intercept)


def _ramp(values: Table, low: float, high: float) -> Table:
    """0 up to low, 255 from high on, straight between; a step just above low where the two are one."""
    if not high > low:
        return np.where(values > low, 255.0, 0.0)
    return np.clip((values - low) / (high - low), 0, 1) * 255


def _counts(unsigned: NDArray[Any], every_value: NDArray[Any], padding: tuple[int, int] | None) -> NDArray[np.int64]:
    """How many pixels store each value, padding not counted unless there is nothing else."""
    counts = np.zeros(len(every_value), np.int64)
    for start in range(0, unsigned.size, _COUNTED_AT_ONCE):
        counts += np.bincount(unsigned.reshape(-1)[start : start + _COUNTED_AT_ONCE], minlength=len(counts))
    if padding is None:
        return counts
    image = np.where((every_value >= padding[0]) & (every_value <= padding[1]), 0, counts)
    return image if image.any() else counts


def _percentiles(values: Table, counts: NDArray[np.int64]) -> tuple[float, float]:
    """np.percentile of an image that holds each value so many times; its extremes where both coincide."""
    order = np.argsort(values, kind="stable")
    values, cumulative = values[order], np.cumsum(counts[order])
    last = int(cumulative[-1]) - 1

    def order_statistic(rank: int) -> float:
        return float(values[np.searchsorted(cumulative, rank, side="right")])

    def percentile(percent: float) -> float:
        rank = percent / 100 * last
        below = order_statistic(math.floor(rank))
        return below + (order_statistic(math.ceil(rank)) - below) * (rank - math.floor(rank))

    low, high = percentile(_LOW_PERCENT), percentile(_HIGH_PERCENT)
    if high > low:
        return low, high
    return order_statistic(0), order_statistic(last)
