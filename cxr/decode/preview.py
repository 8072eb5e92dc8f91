"""A radiograph for a screen on which the user sets the window: 16 bits deep, upright, no larger than needed."""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cxr.decode.orientation import upright
from cxr.errors import TooSmall
from cxr.limits import MIN_SIDE

LONGEST: Final = 2560
"""Largest longer side of a preview, in pixels. Most detectors' images fit unchanged."""
WHITE: Final = 65_535

Deep = NDArray[np.uint16]


class Windowed(NamedTuple):
    """A stored image before its window.

    values:   [H, W] uint16
    low:      the value that is black in the classified image; white if inverted
    high:     the value that is white; black if inverted. Grey is linear between the two
    inverted: low values are white
    """

    values: Deep
    low: float
    high: float
    inverted: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """An upright radiograph, as it is classified but before its window; see `Windowed`.

    values: [h, w] uint16, C-contiguous, neither side over `LONGEST`
    scale:  pixels of the whole image per pixel of the preview, along each side. A remainder at the right and at the
            bottom is left out
    turned: how the stored pixels were turned, as `Radiograph.turned`
    """

    values: Deep
    low: float
    high: float
    inverted: bool
    scale: int
    turned: int


def preview_of(windowed: Windowed, turned: int) -> Preview:
    """Turn and shrink an image. Raises TooSmall if the short side is under `MIN_SIDE`, as the classification does."""
    values, low, high, inverted = windowed
    if min(values.shape) < MIN_SIDE:
        raise TooSmall
    scale = -(-max(values.shape) // LONGEST)
    return Preview(_shrunk(upright(values, turned), scale), low, high, inverted, scale, turned)


def from_grey(pixels: NDArray[np.uint8]) -> Windowed:
    """An 8-bit image [H, W] as a `Windowed` whose window is the full range."""
    return Windowed(pixels * np.uint16(WHITE // 255), 0.0, float(WHITE), inverted=False)


def _shrunk(values: Deep, scale: int) -> Deep:
    """The mean of each square of `scale` x `scale` pixels."""
    if scale == 1:
        return values
    height, width = (side // scale * scale for side in values.shape)
    total: NDArray[Any] = np.zeros((height // scale, width // scale), np.uint32)
    for row in range(scale):
        for column in range(scale):
            total += values[row:height:scale, column:width:scale]
    return (total // scale**2).astype(np.uint16)
