"""Place a map over its radiograph: resampling, normalisation, and the grey PNG for software.

A network sees its frame scaled to a square, so cell (i, j) of an [h, w] map covers the fraction
[i/h, (i+1)/h) x [j/w, (j+1)/w) of the frame, whatever its shape. A `Placement` gives the frame's position on the
image, and the map is zero outside of it. OpenCV's resize uses half-pixel centres and keeps this geometry. A resize with
align-corners would shift a 7 x 7 map by up to half a cell, 7 % of the image.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from cxr.arrays import Colour, Grey, Map
from cxr.model.frames import WHOLE, Placement, window

FINE: Final = 1024  # side in pixels at which a map is smoothed: 73 or more for each of its 7 or 14 cells
SMALL: Final = 512  # longer side in pixels of a heatmap that need not have the radiograph's size
PEAK: Final = 0.998  # quantile of a pixel-wise map at full colour: a few pixels are far above all others
GRAIN: Final = 0.012  # sigma, as a share of the side: LRP's flat rule leaves a grid of the first layers' strides
PIXEL_WISE: Final = 32  # a map with more cells per side is pixel-wise: a cell for each pixel of the network's frame


@dataclass(frozen=True, slots=True)
class PlacedMap:
    """A map [h, w] over a frame, and the position of the frame on the radiograph."""

    heatmap: Map
    place: Placement = WHOLE


def resample(heatmap: Map, shape: tuple[int, int], place: Placement = WHOLE) -> Map:
    """Resample a map [h, w] over a frame to [H, W] over the whole image, in its own unit; zero outside of the frame."""
    return _put_back(_resized(heatmap, _size(shape, place)), shape, place)


def _size(shape: tuple[int, int], place: Placement) -> tuple[int, int]:
    rows, columns = window(place, shape)
    return rows.stop - rows.start, columns.stop - columns.start


def _put_back(inside: Map, shape: tuple[int, int], place: Placement) -> Map:
    whole = np.zeros(shape, np.float32)
    whole[window(place, shape)] = inside
    return whole


def _resized(heatmap: Map, shape: tuple[int, int]) -> Map:
    """Resize to [H, W]: smooth when enlarging, averaging when shrinking."""
    shrinks = shape[0] < heatmap.shape[0]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    resized: Map = cv2.resize(heatmap.astype(np.float32), shape[::-1], interpolation=interpolation).astype(np.float32)
    # The cubic overshoots beside a peak. Clip it, so that it adds no evidence and no sign that the map does not have.
    return np.clip(resized, min(float(heatmap.min()), 0), max(float(heatmap.max()), 0))


def gather(heatmap: Map, sigma: float) -> Map:
    """A map [h, w] blurred by a Gaussian whose sigma is a share of its side."""
    blurred: Map = cv2.GaussianBlur(heatmap, (0, 0), sigmaX=sigma * heatmap.shape[0]).astype(np.float32)
    return blurred


def field(heatmap: Map, shape: tuple[int, int], place: Placement = WHOLE) -> Map:
    """Normalise a map [h, w] for colouring: [H, W] in [-1, 1], with 1 at its largest magnitude and 0 where it is 0.

    A pixel-wise map is smoothed by `GRAIN` and reaches 1 at the quantile `PEAK`. A map without evidence stays zero.
    """
    pixel_wise = heatmap.shape[0] > PIXEL_WISE
    smooth = _resized(gather(heatmap, GRAIN) if pixel_wise else heatmap, _size(shape, place))
    magnitude = np.abs(smooth)
    peak = float(np.quantile(magnitude, PEAK) if pixel_wise else magnitude.max())
    peak = peak or float(magnitude.max())
    if peak <= 0:
        return np.zeros(shape, np.float32)
    return _put_back(np.clip(smooth / peak, -1, 1, dtype=np.float32), shape, place)


def small(shape: tuple[int, int]) -> tuple[int, int]:
    """(H, W) of a radiograph → (H, W) of a small heatmap that still resolves any map: at most `SMALL` pixels a side."""
    scale = min(1.0, SMALL / max(shape))
    return max(1, round(scale * shape[0])), max(1, round(scale * shape[1]))


def heatmap_png(heatmap: Map, shape: tuple[int, int], signed: bool = False, place: Placement = WHOLE) -> bytes:
    """A map as an 8-bit grey PNG of (H, W), the radiograph's size or smaller: 255 x field; `signed`: 128 + 127 x field.

    It is smoothed at no more than `FINE` pixels a side and then enlarged, because 40 megapixels of float32 take 160 MB
    per copy.
    """
    fine = field(heatmap, (min(shape[0], FINE), min(shape[1], FINE)), place)
    grey = np.rint(128 + 127 * fine if signed else 255 * fine).astype(np.uint8)
    if grey.shape != shape:
        grey = cv2.resize(grey, shape[::-1], interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
    return png(grey)


def png(image: Grey | Colour) -> bytes:
    """Encode grey [H, W] or RGB [H, W, 3] as PNG. Fast rather than small, because a client waits for the answer."""
    ordered = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".png", ordered, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise ValueError("an empty image cannot be encoded")
    return data.tobytes()
