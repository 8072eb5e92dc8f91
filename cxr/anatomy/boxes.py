"""The critical regions of a map, as boxes in the stored image's pixels."""

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from cxr.arrays import Map
from cxr.decode.radiograph import Radiograph
from cxr.model.frames import WHOLE, Placement
from cxr.report.heatmap import PIXEL_WISE, gather, resample

GRID: Final = 128  # side at which regions are found: finer than any map knows places
CRITICAL: Final = 0.5  # of the map's maximum
LARGEST: Final = 0.1  # of the image's area, all regions together: maps of 7 x 7 cells are often above half everywhere
SPREAD: Final = 0.04  # sigma, as a share of the side, over which a pixel-wise map is gathered into regions
SMALLEST: Final = 0.02  # share of the evidence
MOST: Final = 5


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle around a critical region, in pixels of the image as it is stored, and the region's share.

    `x`, `y` is the corner with the smallest coordinates; `share` is of the map's positive evidence.
    """

    x: int
    y: int
    width: int
    height: int
    share: float


def critical_regions(heatmap: Map, radiograph: Radiograph, place: Placement = WHOLE) -> tuple[Box, ...]:
    """Boxes around the connected regions of a map's [h, w] strongest evidence, largest share first.

    Strongest is what exceeds half of the maximum and all but a tenth of the image. There are at most `MOST` boxes, and
    each after the first has a share of at least `SMALLEST`; a map without positive evidence has none.

    The map is over a frame that lies at `place` on the radiograph as it is shown; boxes are in the file's own pixels,
    so that an archive's viewer, which turns nothing, can draw them.
    """
    evidence = resample(np.maximum(heatmap, 0), (GRID, GRID), place)
    total = float(evidence.sum())
    if total <= 0:
        return ()
    gathered = gather(evidence, SPREAD) if heatmap.shape[0] > PIXEL_WISE else evidence
    bound = max(CRITICAL * float(gathered.max()), float(np.quantile(gathered, 1 - LARGEST)))
    critical = (gathered >= bound).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(critical, connectivity=8)
    found = [(float(evidence[labels == i].sum()) / total, stats[i]) for i in range(1, count)]
    found.sort(key=lambda region: -region[0])
    worth = found[:1] + [region for region in found[1:MOST] if region[0] >= SMALLEST]
    return tuple(_box(radiograph, share, *map(int, stat[:4])) for share, stat in worth)


def _box(radiograph: Radiograph, share: float, left: int, top: int, width: int, height: int) -> Box:
    """A rectangle of the grid in stored pixels, widened to whole ones."""
    rows, columns = radiograph.shape
    corners = [
        radiograph.stored(x * columns / GRID, y * rows / GRID) for x, y in ((left, top), (left + width, top + height))
    ]
    (x1, x2), (y1, y2) = (sorted(values) for values in zip(*corners, strict=True))
    x, y = math.floor(x1), math.floor(y1)
    return Box(x, y, math.ceil(x2) - x, math.ceil(y2) - y, share)
