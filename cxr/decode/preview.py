"""A radiograph for a screen that has a window to set: 16 bits deep, upright, no larger than a screen needs."""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cxr.decode.orientation import upright
from cxr.errors import TooSmall
from cxr.limits import MIN_SIDE

LONGEST: Final = 2560
"""Pixels of a preview's longer side, at most. Most detectors' images fit as they are."""
WHITE: Final = 65_535

Deep = NDArray[np.uint16]


class Windowed(NamedTuple):
    """An image before its window, as it is stored.

    values:   [H, W] uint16
    low:      the value that is black where the image is shown as it is classified; white if inverted
    high:     the value that is white; black if inverted. Values between are shown in proportion
    inverted: low values are white
    """

    values: Deep
    low: float
    high: float
    inverted: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """A radiograph upright, as it is classified but for its window; see `Windowed`.

    values: [h, w] uint16, C-contiguous, neither side over `LONGEST`
    scale:  pixels of the whole image to one of these, along each side; a remainder at the right and at the bottom is
            left out
    turned: how the stored pixels were turned, as `Radiograph.turned`
    """

    values: Deep
    low: float
    high: float
    inverted: bool
    scale: int
    turned: int


def preview_of(windowed: Windowed, turned: int) -> Preview:
    """Turn and shrink it. Raises TooSmall where the classification does: the short side is under `MIN_SIDE`."""
    values, low, high, inverted = windowed
    if min(values.shape) < MIN_SIDE:
        raise TooSmall
    scale = -(-max(values.shape) // LONGEST)
    return Preview(_shrunk(upright(values, turned), scale), low, high, inverted, scale, turned)


def from_grey(pixels: NDArray[np.uint8]) -> Windowed:
    """An image [H, W] of 8 bits that is grey already."""
    return Windowed(pixels * np.uint16(WHITE // 255), 0.0, float(WHITE), inverted=False)


def _shrunk(values: Deep, scale: int) -> Deep:
    """The mean of each square of so many pixels a side."""
    if scale == 1:
        return values
    height, width = (side // scale * scale for side in values.shape)
    total: NDArray[Any] = np.zeros((height // scale, width // scale), np.uint32)
    for row in range(scale):
        for column in range(scale):
            total += values[row:height:scale, column:width:scale]
    return (total // scale**2).astype(np.uint16)
