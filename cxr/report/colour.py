"""Colours of a map: inferno for evidence, blue and orange for relevance with a sign.

Both are perceptually uniform: equal steps of the map are equal steps of lightness. Both are safe for people with
red-green colour blindness.
"""

from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cxr.arrays import Colour, Grey, Map

OPACITY: Final = 0.72  # at the map's maximum; the ribs must stay visible
BAR_GREY: Final = 96  # the colour bar is blended over this grey, so that its colours match the picture

LIGHTNESS: Final = (30.0, 72.0)  # CIE L* from no relevance to the maximum
ORANGE: Final = (58.0, 45.0, 85.0)  # hue angle in CIELAB in degrees, chroma at no relevance and at the maximum
BLUE: Final = (262.0, 45.0, 42.0)  # sRGB has no light blue with more chroma


def blend(pixels: Grey, strength: Map, signed: bool = False) -> Colour:
    """Blend a field [H, W] over a radiograph [H, W]: RGB [H, W, 3], unchanged where the field is 0.

    The field is in [0, 1], or in [-1, 1] if `signed`; it is rounded to steps of 1/255. Each pixel's colour is looked
    up by grey level and step: blending in float32 would need five times the picture's memory.
    """
    steps = (strength + 1) if signed else strength
    colour = cv2.addWeighted(steps, 255.0, steps, 0.0, 0.0, dtype=cv2.CV_32S)  # rounds
    colour *= 256
    colour += pixels
    return np.take(_blended(signed), colour.astype(np.intp, copy=False), axis=0)


@lru_cache
def _blended(signed: bool) -> NDArray[np.uint8]:
    """RGB [steps x 256, 3]: the colour of each step over each grey level."""
    strength: Map = np.linspace(-1, 1, 511, dtype=np.float32) if signed else np.linspace(0, 1, 256, dtype=np.float32)
    alpha = (OPACITY * smoothstep(np.abs(strength)))[:, np.newaxis, np.newaxis]
    grey = np.arange(256, dtype=np.float32)[np.newaxis, :, np.newaxis]
    over = grey + alpha * (_colours(strength, signed)[:, np.newaxis] - grey)
    return np.rint(over).astype(np.uint8).reshape(-1, 3)


def colour_bar(height: int, width: int, signed: bool = False) -> Colour:
    """The colours of `blend` from 1 at the top to 0 (`signed`: -1) at the bottom: RGB [height, width, 3]."""
    ramp = np.linspace(1, -1 if signed else 0, height, dtype=np.float32)[:, np.newaxis].repeat(width, axis=1)
    return blend(np.full((height, width), BAR_GREY, np.uint8), ramp, signed)


def legend(signed: bool = False) -> NDArray[np.uint8]:
    """The colours of `blend` for each grey level of a heatmap (`cxr.report.heatmap.heatmap_png`), for other programs.

    Returns:
        [256, 4]: red, green, blue, and opacity, where 255 stands for `OPACITY`.
    """
    levels = np.arange(256, dtype=np.float32)
    strength: Map = np.clip((levels - 128) / 127, -1, 1, dtype=np.float32) if signed else levels / np.float32(255)
    opacity = smoothstep(np.abs(strength)) * 255
    return np.rint(np.column_stack([_colours(strength, signed), opacity])).astype(np.uint8)


def _colours(strength: Map, signed: bool) -> NDArray[np.float32]:
    return _DIVERGING[np.rint((strength + 1) * 255).astype(np.intp)] if signed else _INFERNO[_byte(strength)]


def smoothstep(strength: Map) -> Map:
    """[0, 1] → [0, 1], rising between 0.15 and 0.75: weak evidence leaves the radiograph unchanged."""
    t: Map = np.clip((strength - 0.15) / 0.6, 0, 1, dtype=np.float32)
    return t * t * (3 - 2 * t)


def _byte(strength: Map) -> NDArray[np.uint8]:
    return np.rint(strength * 255).astype(np.uint8)


def _branch(hue: float, least: float, most: float) -> NDArray[np.float32]:
    """RGB [256, 3] in 0..255 from dark to light along one hue."""
    lightness, chroma = np.linspace(*LIGHTNESS, 256), np.linspace(least, most, 256)
    angle = np.deg2rad(hue)
    lab = np.stack([lightness, chroma * np.cos(angle), chroma * np.sin(angle)], axis=-1).astype(np.float32)
    rgb = cv2.cvtColor(lab[np.newaxis], cv2.COLOR_Lab2RGB)[0]
    branch: NDArray[np.float32] = np.clip(rgb * 255, 0, 255, dtype=np.float32)
    return branch


_INFERNO: Final = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, np.newaxis], cv2.COLORMAP_INFERNO)[
    :, 0, ::-1
].astype(np.float32)
_DIVERGING: Final = np.concatenate([_branch(*BLUE)[:0:-1], _branch(*ORANGE)])
