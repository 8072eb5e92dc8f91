"""Stored values of up to 16 bits → 8-bit grey, through the DICOM greyscale pipeline (PS3.4 N.2, PS3.3 C.11).

Every step maps a stored value to another without looking at its neighbours. So the pipeline runs once, over a
table of all 2^8 or 2^16 words that a pixel can store, in float64, and the image is looked up in the result:
exact, and a few hundred times less work than over the pixels of a large radiograph.
"""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cxr.decode.dicom.stored_bits import StoredBits, padded
from cxr.decode.dicom.voi import Lut, Values, Window, ramp
from cxr.decode.histogram import Counts, counts, nearly_alike, percentiles, sample_step
from cxr.errors import UniformImage

_PERCENTS: Final = (0.5, 99.5)
# A window is believed if the image, without its darkest and its brightest 2 %, spans a tenth of black to white.
_LEFT_OUT: Final = 0.02
_LEAST_SPAN: Final = 25.5
_STRIP: Final = 1 << 16  # pixels

Shown = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Greyscale:
    """What a file says about the meaning of its stored values. The defaults are a file that says nothing.

    bits:     where a pixel's value lies in its word
    modality: applied first
    voi:      windows and tables in the order of their rank, None for one that cannot be read; the first that shows
              the image is applied second, and the percentiles of the image where there is none
    padding:  ends of the range of values that fill the frame's corners, are no part of the image and become black
    inverse:  low values are white
    """

    bits: StoredBits
    modality: Lut | tuple[float, float] = (1.0, 0.0)
    voi: tuple[Lut | Window | None, ...] = ()
    padding: tuple[int, ...] = ()
    inverse: bool = False


class Rendered(NamedTuple):
    """pixels: [H, W] uint8, 0 to 255. believed: the first window or table was applied, or the file has none."""

    pixels: NDArray[np.uint8]
    believed: bool


def to_grey(stored: NDArray[Any], meaning: Greyscale, shown: Shown | None = None) -> Rendered:
    """[H, W] integers of 8 or 16 bits, signed or not, native byte order → [H, W] uint8.

    shown: [H, W], where the image is; elsewhere it is 0. Raises UniformImage.
    """
    words: NDArray[Any] = np.ascontiguousarray(stored).view(f"u{stored.dtype.itemsize}")
    numbers, padding = meaning.bits.values(), _padding(words, shown, meaning)
    counted = _varied_counts(words, shown, numbers, padding)
    # Hostile slopes and centres overflow to infinity, which the clip brings back.
    with np.errstate(all="ignore"):
        values = _modality(numbers.astype(np.float64), meaning.modality)
        believed, table = _believed(values, meaning.voi, counted)
        if table is None:
            everywhere = counted if sample_step(words.shape) == 1 else _counts(words, shown, padding, 1)
            low, high = percentiles(values, everywhere, _PERCENTS)
            table = _eight_bit(ramp(values, low, high))
    if meaning.inverse:
        table = 255 - table
    table[padding] = 0
    pixels = _look_up(table, words)
    if shown is not None:
        pixels[~shown] = 0
    return Rendered(pixels, believed)


def _look_up(table: NDArray[np.uint8], words: NDArray[Any]) -> NDArray[np.uint8]:
    """table[words] for a table of every word, by strips: NumPy would copy a whole image's words to 64 bits first."""
    pixels = np.empty(words.shape, np.uint8)
    source, target = words.reshape(-1), pixels.reshape(-1)
    for start in range(0, source.size, _STRIP):
        strip = slice(start, start + _STRIP)
        np.take(table, source[strip], mode="clip", out=target[strip])
    return pixels


def _padding(words: NDArray[Any], shown: Shown | None, meaning: Greyscale) -> Shown:
    """Which words are padding; none where the whole image would be."""
    padding = padded(meaning.bits, meaning.padding)
    steps = (sample_step(words.shape), 1) if meaning.padding else ()
    if steps and not any(_counts(words, shown, padding, step).any() for step in steps):
        return np.zeros_like(padding)
    return padding


def _varied_counts(words: NDArray[Any], shown: Shown | None, numbers: NDArray[np.int32], padding: Shown) -> Counts:
    """How often a sample of the image holds each word. Raises UniformImage by all pixels, not by the sample."""
    for step in dict.fromkeys((sample_step(words.shape), 1)):
        counted = _counts(words, shown, padding, step)
        present = np.flatnonzero(counted)
        if not nearly_alike(numbers[present], counted[present]):
            return counted
    raise UniformImage


def _counts(words: NDArray[Any], shown: Shown | None, padding: Shown, step: int) -> Counts:
    """How often every so many rows and columns of the image hold each word, padding not counted."""
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
) -> tuple[bool, NDArray[np.uint8] | None]:
    """The grey by the first window or table that shows the image, None where none does; and whether it is the first."""
    for rank, one in enumerate(voi):
        if one is not None and _spans((grey := _eight_bit(one.grey(values))), counted):
            return rank == 0, grey
    return not voi, None


def _spans(grey: NDArray[np.uint8], counted: Counts) -> bool:
    """Whether a window leaves enough of the image to be seen; one that misses the data does not."""
    cumulative = np.cumsum(np.bincount(grey, weights=counted, minlength=256))
    low, high = np.searchsorted(cumulative, np.array([_LEFT_OUT, 1 - _LEFT_OUT]) * cumulative[-1])
    return bool(high - low >= _LEAST_SPAN)


def _eight_bit(grey: Values) -> NDArray[np.uint8]:
    return np.rint(np.clip(np.nan_to_num(grey), 0, 255)).astype(np.uint8)
