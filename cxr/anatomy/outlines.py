"""The borders of the zones as polygons, to draw over the radiograph (`cxr.report.drawing`, or the page)."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from cxr.anatomy.zones import OUTSIDE, ZONES, Zone, ZoneMap

GRID: Final = 512  # side of the grid on which borders are traced
STRAIGHT: Final = 0.75  # in cells of that grid: a curve that bends less is drawn as a straight line
LEAST: Final = 3  # an area must have at least so many points


@dataclass(frozen=True, slots=True)
class Outline:
    """A closed line around a zone or one of its parts: points (x, y), as shares of the upright image's sides."""

    zone: Zone
    points: tuple[tuple[float, float], ...]


def outlines(where: ZoneMap) -> tuple[Outline, ...]:
    """The lines around all zones but the outside, in the order of `ZONES`."""
    found = []
    for zone in range(OUTSIDE):
        # Enlarge smoothly, so that borders are curves and not stairs of grid cells.
        rounded = cv2.GaussianBlur((where.zones == zone).astype(np.float32), (0, 0), sigmaX=1.0)
        soft = cv2.resize(rounded, (GRID, GRID), interpolation=cv2.INTER_CUBIC)
        contours, _ = cv2.findContours((soft > 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        for contour in contours:
            line = (cv2.approxPolyDP(contour, STRAIGHT, closed=True)[:, 0] + 0.5) / GRID
            if len(line) >= LEAST:
                points = tuple((round(float(x), 4), round(float(y), 4)) for x, y in line)
                found.append(Outline(ZONES[zone], points))
    return tuple(found)
