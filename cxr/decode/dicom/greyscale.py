"""Stored values of up to 16 bits → grey, through the DICOM greyscale pipeline (PS3.4 N.2, PS3.3 C.11).

`to_grey` includes the window and gives the 8 bits that are classified. `to_windowed` stops before the window, for a
screen where the user sets it.

Every step maps a stored value to another without looking at neighbouring pixels. So the pipeline runs once in float64
over a table of all 2^8 or 2^16 words that a pixel can store, and the image is looked up in the result. This is exact,
and a few hundred times less work than the pixels of a large radiograph.
"""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from cxr.decode.dicom.stored_bits import StoredBits, padded
from cxr.decode.dicom.voi import Between, Lut, Values, Window
from cxr.decode.histogram import Counts, counts, nearly_alike, percentiles, sample_step
from cxr.decode.preview import WHITE, Windowed
from cxr.errors import UniformImage

T = TypeVar("T", np.uint8, np.uint16)

_PERCENTS: Final = (0.5, 99.5)
# A window is accepted if the image, without its darkest and brightest 2 %, spans a tenth of the range black to white.
_LEFT_OUT: Final = 0.02
_LEAST_SPAN: Final = 25.5
_STRIP: Final = 1 << 16  # pixels

Shown = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Greyscale:
    """What a file states about its stored values. The defaults are those of a file that states nothing.

    bits:     the position of a pixel's value in its word
    modality: lookup table, or (slope, intercept); applied first
    voi:      windows and tables in order of preference, None for one that cannot be read. The first that shows the
              image is applied second; the percentiles of the image if there is none
    padding:  ends of the range of values that mark padding, which is not part of the image and becomes black
    inverse:  low values are white
    """

    bits: StoredBits
    modality: Lut | tuple[float, float] = (1.0, 0.0)
    voi: tuple[Lut | Window | None, ...] = ()
    padding: tuple[int, ...] = ()
    inverse: bool = False


class Rendered(NamedTuple):
    """pixels: [H, W] uint8, 0 to 255. believed: the file's first window or table was applied, or the file has none."""

    pixels: NDArray[np.uint8]
    believed: bool


def to_grey(stored: NDArray[Any], meaning: Greyscale, shown: Shown | None = None) -> Rendered:
    """[H, W] integers of 8 or 16 bits, signed or not, native byte order → [H, W] uint8.

    shown: [H, W], true where no shutter covers the image; the rest becomes 0. Raises UniformImage.
    """
    words = _words(stored)
    # Hostile slopes and centres overflow to infinity; the clip limits the result.
    with np.errstate(all="ignore"):
        values, padding, voi, believed = _judged(words, meaning, shown)
        table = _eight_bit(voi.grey(values))
    if meaning.inverse:
        table = 255 - table
    table[padding] = 0
    pixels = _look_up(table, words)
    if shown is not None:
        pixels[~shown] = 0
    return Rendered(pixels, believed)


def to_windowed(stored: NDArray[Any], meaning: Greyscale, shown: Shown | None = None) -> Windowed:
    """The same without the window, which the viewer sets: [H, W] uint16.

    Values are those after the modality table or rescaling, stretched to 16 bits where they do not fit. If grey is not
    a linear function of them (a VOI table, a sigmoid), they are the grey itself. Padding, and pixels outside `shown`,
    get the blackest value. Raises UniformImage.
    """
    words = _words(stored)
    with np.errstate(all="ignore"):
        values, padding, voi, _ = _judged(words, meaning, shown)
        present = _counts(words, shown, padding, 1) > 0
        values, low, high = _fitted(*_straight(values, voi), present)
        table = np.rint(np.clip(values, 0, WHITE)).astype(np.uint16)
    black = WHITE if meaning.inverse else 0
    table[padding] = black
    pixels = _look_up(table, words)
    if shown is not None:
        pixels[~shown] = black
    return Windowed(pixels, low, high, meaning.inverse)


def _words(stored: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(stored).view(f"u{stored.dtype.itemsize}")


class _Judged(NamedTuple):
    """For every word its value and whether it is padding; and the window or table to show the values with."""

    values: Values
    padding: Shown
    voi: Lut | Window | Between
    believed: bool


def _judged(words: NDArray[Any], meaning: Greyscale, shown: Shown | None) -> _Judged:
    """Interpret an image's words. Raises UniformImage."""
    numbers, padding = meaning.bits.values(), _padding(words, shown, meaning)
    counted = _varied_counts(words, shown, numbers, padding)
    values = _modality(numbers.astype(np.float64), meaning.modality)
    believed, voi = _believed(values, meaning.voi, counted)
    if voi is not None:
        return _Judged(values, padding, voi, believed)
    everywhere = counted if sample_step(words.shape) == 1 else _counts(words, shown, padding, 1)
    return _Judged(values, padding, Between(*percentiles(values, everywhere, _PERCENTS)), believed)


def _straight(values: Values, voi: Lut | Window | Between) -> tuple[Values, float, float]:
    """Values of which grey is a linear function, and the two values that are black and white."""
    if voi.ends is None:
        return np.nan_to_num(voi.grey(values)) * (WHITE / 255), 0.0, float(WHITE)
    return values, *voi.ends


def _fitted(values: Values, low: float, high: float, present: Shown) -> tuple[Values, float, float]:
    """The same, stretched to 16 bits unless the values that occur are 16-bit integers already."""
    there = values[present]
    least, most = float(there.min()), float(there.max())
    if least >= 0 and most <= WHITE and np.array_equal(there, np.rint(there)):
        return values, low, high
    slope = WHITE / max(most - least, np.finfo(np.float64).tiny)
    return (values - least) * slope, (low - least) * slope, (high - least) * slope


def _look_up(table: NDArray[T], words: NDArray[Any]) -> NDArray[T]:
    """table[words] in strips: NumPy would first copy a whole image's words to 64 bits."""
    pixels = np.empty(words.shape, table.dtype)
    source, target = words.reshape(-1), pixels.reshape(-1)
    for start in range(0, source.size, _STRIP):
        strip = slice(start, start + _STRIP)
        np.take(table, source[strip], mode="clip", out=target[strip])
    return pixels


def _padding(words: NDArray[Any], shown: Shown | None, meaning: Greyscale) -> Shown:
    """Which words are padding; none if the whole image would be padding."""
    padding = padded(meaning.bits, meaning.padding)
    steps = (sample_step(words.shape), 1) if meaning.padding else ()
    if steps and not any(_counts(words, shown, padding, step).any() for step in steps):
        return np.zeros_like(padding)
    return padding


def _varied_counts(words: NDArray[Any], shown: Shown | None, numbers: NDArray[np.int32], padding: Shown) -> Counts:
    """How often each word occurs in a sample of the image. UniformImage is decided on all pixels, not on the sample."""
    for step in dict.fromkeys((sample_step(words.shape), 1)):
        counted = _counts(words, shown, padding, step)
        present = np.flatnonzero(counted)
        if not nearly_alike(numbers[present], counted[present]):
            return counted
    raise UniformImage


def _counts(words: NDArray[Any], shown: Shown | None, padding: Shown, step: int) -> Counts:
    """How often each word occurs at every `step`-th row and column, without padding."""
    part = words[::step, ::step]
    counted = counts(part if shown is None else part[shown[::step, ::step]])
    counted[padding] = 0
    return counted


def _modality(values: Values, modality: Lut | tuple[float, float]) -> Values:
    if isinstance(modality, Lut):
        return modality(values)
    slope, intercept = modality
    return np.nan_to_num(values * slope + intercept)


def _believed(
    values: Values, voi: tuple[Lut | Window | None, ...], counted: Counts
) -> tuple[bool, Lut | Window | None]:
    """Whether the file's first window or table was taken, and the first that shows the image; None if none does."""
    for rank, one in enumerate(voi):
        if one is not None and _spans(_eight_bit(one.grey(values)), counted):
            return rank == 0, one
    return not voi, None


def _spans(grey: NDArray[np.uint8], counted: Counts) -> bool:
    """Whether a window shows enough of the image. A window beside the data does not."""
    cumulative = np.cumsum(np.bincount(grey, weights=counted, minlength=256))
    low, high = np.searchsorted(cumulative, np.array([_LEFT_OUT, 1 - _LEFT_OUT]) * cumulative[-1])
    return bool(high - low >= _LEAST_SPAN)


def _eight_bit(grey: Values) -> NDArray[np.uint8]:
    return np.rint(np.clip(np.nan_to_num(grey), 0, 255)).astype(np.uint8)
