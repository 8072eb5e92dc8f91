"""A class activation map over its radiograph: upsampling, colours, and the grey PNG for machines.

A network sees the whole image squashed into a square, so cell (i, j) of an [h, w] map covers the fraction
[i/h, (i+1)/h) x [j/w, (j+1)/w) of the image, whatever its shape. OpenCV's resize has half-pixel centres and
keeps that; an align-corners resize would shift a 7 x 7 map by up to half a cell, 7 % of the image.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Colour = NDArray[np.uint8]
Map = NDArray[np.float32]

FINE: Final = 1024  # pixels a side at which a map is smoothed: 73 or more for each of its 7 or 14 cells
OPACITY: Final = 0.72  # at the map's maximum; the ribs must show through
BAR_GREY: Final = 96  # the colour bar is blended over this grey, so that its colours are those in the picture


def field(heatmap: Map, shape: tuple[int, int]) -> Map:
    """Upsample a map [h, w] ≥ 0 to [H, W] in [0, 1] with a maximum of 1; a map without evidence stays zero."""
    height, width = shape
    smooth = cv2.resize(heatmap.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    peak = float(smooth.max())
    if peak <= 0:
        return np.zeros(shape, np.float32)
    clipped: Map = np.clip(smooth / peak, 0, 1, dtype=np.float32)  # the cubic undershoots beside a peak
    return clipped


def heatmap_png(heatmap: Map, shape: tuple[int, int]) -> bytes:
    """A map [h, w] ≥ 0 as an 8-bit grey PNG of a radiograph's own (H, W); 255 at the maximum.

    Smoothed at `FINE` pixels a side at most and enlarged from there: 40 megapixels of float32 are 160 MB a copy.
    """
    fine = field(heatmap, (min(shape[0], FINE), min(shape[1], FINE)))
    grey = np.rint(fine * 255).astype(np.uint8)
    return png(cv2.resize(grey, shape[::-1], interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False))


def blend(pixels: Grey, strength: Map) -> Colour:
    """Lay a field [H, W] in [0, 1] over a radiograph [H, W]: RGB [H, W, 3], untouched where the field is 0."""
    alpha = (OPACITY * smoothstep(strength))[..., np.newaxis]
    grey = pixels[..., np.newaxis].astype(np.float32)
    return np.rint(grey + alpha * (_inferno(strength) - grey)).astype(np.uint8)


def colour_bar(height: int, width: int) -> Colour:
    """The colours of `blend` from 1 at the top to 0 at the bottom: RGB [height, width, 3]."""
    ramp = np.linspace(1, 0, height, dtype=np.float32)[:, np.newaxis].repeat(width, axis=1)
    return blend(np.full((height, width), BAR_GREY, np.uint8), ramp)


def smoothstep(strength: Map) -> Map:
    """[0, 1] → [0, 1], rising from 0.05 to 0.6: weak evidence leaves the radiograph as it is."""
    t: Map = np.clip((strength - 0.05) / 0.55, 0, 1, dtype=np.float32)
    return t * t * (3 - 2 * t)


def png(image: Grey | Colour) -> bytes:
    """Encode grey [H, W] or RGB [H, W, 3]. Fast rather than small: an answer is waited for."""
    ordered = image if image.ndim == 2 else image[..., ::-1]
    done, data = cv2.imencode(".png", ordered, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise ValueError("an empty image cannot be encoded")
    return data.tobytes()


def _inferno(strength: Map) -> NDArray[np.float32]:
    """[H, W] in [0, 1] → RGB [H, W, 3] in 0..255 of inferno, which is perceptually uniform and safe in grey."""
    return _TABLE[np.rint(strength * 255).astype(np.uint8)]


_RAMP: Final = np.arange(256, dtype=np.uint8)[:, np.newaxis]
_TABLE: Final = cv2.applyColorMap(_RAMP, cv2.COLORMAP_INFERNO)[:, 0, ::-1].astype(np.float32)
