"""The frame: the part of a radiograph that a network sees, and the position of a map over it.

`full` is the whole image. `lungs` is the area of the lungs' mask, enlarged, on a uniform background: a network that
sees only this cannot recognise hospitals by collimation, letters, arms or the shape of the image. Where no plausible
lungs were found, this frame is the full image too; training includes such images.

A frame's id stands for its exact arithmetic, as a recipe's id does. The arithmetic uses integers only, so that the same
mask gives the same array on every processor.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]

FULL: Final = "full-1"
LUNGS: Final = "lungs-1"
HULL: Final = "hull-1"

SIDE: Final = 256  # side of the lung frame before the recipe is applied: the short side of a full frame at that point
MARGIN: Final = 0.06  # as a share of the lungs' bounding box, added on each of its sides
COARSE: Final = 128  # side of the grid on which the mask is dilated and blurred: saves 7/8 of the time
DILATION: Final = 9  # cells of the coarse grid, edge to edge: the pleura, and what a segmenter misses of a white lung
SOFTNESS: Final = 3.5  # sigma of the border on the coarse grid: a hard border would be the strongest edge of the image


@dataclass(frozen=True, slots=True)
class Placement:
    """The position of a frame on the radiograph, as fractions of its width (left, right) and height (top, bottom)."""

    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0


WHOLE: Final = Placement()


def full_frame(pixels: Grey, _mask: Mask | None) -> Grey:
    """The whole image; the mask is ignored."""
    return pixels


def lung_frame(pixels: Grey, mask: Mask | None) -> Grey:
    """Cut out the area of a lung mask, enlarge it to a square, and fill the rest.

    The box around the mask is widened by `MARGIN`, the mask dilated and blurred, and the outside filled with the mean
    grey of the lungs.

    Args:
        pixels: [H, W] uint8, shrunk already (`cxr.model.preprocess.shrink`).
        mask: [S, S] bool over the whole image scaled to a square; None or all false without plausible lungs.

    Returns:
        [`SIDE`, `SIDE`] uint8; the unchanged image if there are no lungs.
    """
    if mask is None or not mask.any():
        return pixels
    height, width = pixels.shape
    rows, columns = window(placement(LUNGS, mask), pixels.shape)
    covered = cv2.resize(mask.astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_LINEAR)
    inside = fit(covered[rows, columns].astype(np.uint8, copy=False), COARSE) > 127
    return _filled(fit(pixels[rows, columns], SIDE), inside)


def hull_frame(pixels: Grey, mask: Mask | None) -> Grey:
    """As `lung_frame`, but with the area between the lungs: the convex hull of both."""
    return lung_frame(pixels, None if mask is None else _hull(mask))


FRAMES: Final[dict[str, Callable[[Grey, Mask | None], Grey]]] = {
    FULL: full_frame,
    LUNGS: lung_frame,
    HULL: hull_frame,
}


def placement(frame: str, mask: Mask | None) -> Placement:
    """The position of a frame on the radiograph, to half a pixel of the shrunk one; `mask` as for the frame itself."""
    if frame == FULL or mask is None or not mask.any():
        return WHOLE
    left, right = _widened(np.asarray(mask.any(axis=0)))
    top, bottom = _widened(np.asarray(mask.any(axis=1)))
    return Placement(left, top, right, bottom)


def in_frame(mask: Mask, place: Placement) -> Mask:
    """Resample a mask [S, S] over the whole image as [S, S] over the frame."""
    if place == WHOLE:
        return mask
    rows, columns = window(place, mask.shape)
    return fit(mask[rows, columns].astype(np.uint8) * 255, len(mask)) > 127


def window(place: Placement, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The rows and columns of an image [H, W] that a frame covers; at least one of each."""
    return _span(place.top, place.bottom, shape[0]), _span(place.left, place.right, shape[1])


def fit(pixels: Grey, side: int) -> Grey:
    """Resize to a square. Area averaging avoids aliasing when shrinking, but is blocky when enlarging."""
    interpolation = cv2.INTER_AREA if min(pixels.shape) >= side else cv2.INTER_LINEAR
    return cv2.resize(pixels, (side, side), interpolation=interpolation).astype(np.uint8, copy=False)


def _hull(mask: Mask) -> Mask:
    """The convex hull of a mask; empty for an empty mask."""
    covered, points = np.zeros(mask.shape, np.uint8), cv2.findNonZero(mask.astype(np.uint8))
    if points is not None:
        cv2.fillConvexPoly(covered, cv2.convexHull(points), 1)
    return covered.astype(bool)


def _widened(covered: NDArray[np.bool_]) -> tuple[float, float]:
    """The two ends of the widened box along one axis, as fractions. `covered`: which cells along the axis hold lung."""
    cells = np.flatnonzero(covered)
    first, last = int(cells[0]), int(cells[-1]) + 1
    margin = MARGIN * (last - first)
    return max(0.0, (first - margin) / len(covered)), min(1.0, (last + margin) / len(covered))


def _span(first: float, last: float, pixels: int) -> slice:
    start = min(round(first * pixels), pixels - 1)
    return slice(start, max(round(last * pixels), start + 1))


def _filled(pixels: Grey, inside: Mask) -> Grey:
    """[`SIDE`, `SIDE`]: pixels outside a mask [`COARSE`, `COARSE`] become the mean grey inside."""
    lungs = fit(pixels, COARSE)[inside]
    mean = round(int(lungs.sum(dtype=np.int64)) / len(lungs)) if len(lungs) else 0
    grown = cv2.dilate(inside.astype(np.uint8) * 255, np.ones((DILATION, DILATION), np.uint8))
    soft = cv2.GaussianBlur(grown, (0, 0), sigmaX=SOFTNESS).astype(np.uint8, copy=False)
    weight = fit(soft, SIDE).astype(np.uint16)
    return ((pixels * weight + mean * (255 - weight) + 127) // 255).astype(np.uint8)
