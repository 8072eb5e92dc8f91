"""Boxes: the critical regions of an evidence map, and one region in each lung for a map of opacities."""

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from cxr.arrays import Map
from cxr.decode.radiograph import Radiograph
from cxr.model.frames import WHOLE, Placement
from cxr.report.heatmap import PIXEL_WISE, gather, resample

GRID: Final = 128  # side of the grid on which regions are found: finer than the cells of any map
CRITICAL: Final = 0.5  # as a share of the map's maximum
LARGEST: Final = 0.1  # share of the image's area, all regions together: a 7 x 7 map is often above half everywhere
SPREAD: Final = 0.04  # sigma, as a share of the side, of the Gaussian that merges a pixel-wise map into regions
SMALLEST: Final = 0.02  # as a share of the evidence
MOST: Final = 5
OPACITY_GRID: Final = 64  # side of the grid, over its own frame, on which a map of opacities is thresholded


Rectangle = tuple[float, float, float, float]
"""Left, top, width and height, as fractions of the radiograph's width and height."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle around a critical region, in pixels of the stored image, and the region's share.

    `x`, `y` is the corner with the smallest coordinates. `share` is the part of the map's positive evidence inside.
    """

    x: int
    y: int
    width: int
    height: int
    share: float


def critical_regions(heatmap: Map, radiograph: Radiograph, place: Placement = WHOLE) -> tuple[Box, ...]:
    """Boxes around the connected regions of a map's [h, w] strongest evidence, largest share first.

    A point counts as strongest if it exceeds half of the maximum and belongs to the strongest tenth of the image.
    There are at most `MOST` boxes, and each after the first has a share of at least `SMALLEST`. A map without positive
    evidence has none.

    The map covers a frame that lies at `place` on the upright radiograph. Boxes are in the pixels of the stored image,
    because an archive's viewer draws on that image and does not turn it.
    """
    evidence, gathered = evidence_of(heatmap, GRID, place)
    total = float(evidence.sum())
    if total <= 0:
        return ()
    bound = max(CRITICAL * float(gathered.max()), float(np.quantile(gathered, 1 - LARGEST)))
    critical = (gathered >= bound).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(critical, connectivity=8)
    found = [(float(evidence[labels == i].sum()) / total, stats[i]) for i in range(1, count)]
    found.sort(key=lambda region: -region[0])
    worth = found[:1] + [region for region in found[1:MOST] if region[0] >= SMALLEST]
    return tuple(_box(radiograph, share, *map(int, stat[:4])) for share, stat in worth)


def opacity_regions(heatmap: Map, place: Placement = WHOLE) -> list[tuple[Rectangle, float]]:
    """The strongest region in each half of an opacity map [h, w], and its maximum.

    A region is what surrounds the strongest point of its half and is at least half as strong. It is given as (left,
    top, width, height) in fractions of the radiograph. docs/marks.md lists the other rules that were tried on the
    training split.
    """
    fine = resample(np.maximum(heatmap, 0), (OPACITY_GRID, OPACITY_GRID))
    width, height = place.right - place.left, place.bottom - place.top
    found = []
    for half in (slice(0, OPACITY_GRID // 2), slice(OPACITY_GRID // 2, OPACITY_GRID)):
        inside = np.zeros_like(fine)
        inside[:, half] = fine[:, half]
        peak = float(inside.max())
        if peak > 0:
            x, y, across, down = (float(end) / OPACITY_GRID for end in _around_peak(inside))
            box = place.left + x * width, place.top + y * height, across * width, down * height
            found.append((box, peak))
    return found


def opacity_boxes(heatmap: Map, radiograph: Radiograph, place: Placement = WHOLE) -> tuple[Box, ...]:
    """`opacity_regions` as boxes in the stored image's pixels, strongest first, each with its share of the map."""
    evidence = resample(np.maximum(heatmap, 0), (GRID, GRID), place)
    total = float(evidence.sum()) or 1.0
    boxes = []
    for (x, y, width, height), _ in sorted(opacity_regions(heatmap, place), key=lambda region: -region[1]):
        left, top, right, bottom = (round(GRID * end) for end in (x, y, x + width, y + height))
        share = float(evidence[top:bottom, left:right].sum()) / total
        boxes.append(_box(radiograph, share, left, top, right - left, bottom - top))
    return tuple(boxes)


def _around_peak(values: Map) -> tuple[int, int, int, int]:
    """Left, top, width and height of the connected region around the maximum where values reach half of it."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(
        (values >= CRITICAL * values.max()).astype(np.uint8), connectivity=4
    )
    left, top, width, height = map(int, stats[labels.flat[int(values.argmax())]][:4])
    return left, top, width, height


def evidence_of(heatmap: Map, side: int, place: Placement = WHOLE) -> tuple[Map, Map]:
    """A map's positive evidence on the whole radiograph, [side, side], and the same smoothed into regions.

    A pixel-wise map is smoothed by a Gaussian of `SPREAD`. Coarser maps already consist of regions.
    """
    evidence = resample(np.maximum(heatmap, 0), (side, side), place)
    return evidence, gather(evidence, SPREAD) if heatmap.shape[0] > PIXEL_WISE else evidence


def _box(radiograph: Radiograph, share: float, left: int, top: int, width: int, height: int) -> Box:
    """A rectangle of the grid as a box of whole stored pixels that contains it."""
    rows, columns = radiograph.shape
    corners = [
        radiograph.stored(x * columns / GRID, y * rows / GRID) for x, y in ((left, top), (left + width, top + height))
    ]
    (x1, x2), (y1, y2) = (sorted(values) for values in zip(*corners, strict=True))
    x, y = math.floor(x1), math.floor(y1)
    return Box(x, y, math.ceil(x2) - x, math.ceil(y2) - y, share)
