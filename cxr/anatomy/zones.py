"""Divide a map's evidence among six lung zones, the mediastinum and the outside.

Sides are the patient's: by convention the patient's right is on the left of the image. Zones are thirds of each lung's
own height, as radiologists count them. All arrays here cover the whole image scaled to a square. Scaling keeps the
shares of area and of evidence.
"""

from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from cxr.anatomy.plausibility import Lungs, Mask, NoLungs
from cxr.arrays import Map
from cxr.model.frames import WHOLE, Placement
from cxr.report.heatmap import resample

Zone = Literal[
    "right_upper", "right_middle", "right_lower", "left_upper", "left_middle", "left_lower", "mediastinum", "outside"
]
ZONES: Final[tuple[Zone, ...]] = get_args(Zone)
LUNG_ZONES: Final = ZONES[:6]
MEDIASTINUM: Final = ZONES.index("mediastinum")
OUTSIDE: Final = ZONES.index("outside")

GRID: Final = 126  # side of the zone map where the zones are thirds of the image
DIAPHRAGM: Final = 0.5  # share of a lung's largest width: below the last row so wide only the recess continues


@dataclass(frozen=True, slots=True)
class ZoneMap:
    """The zone of each point: [S, S] indices into `ZONES`.

    Where no lungs were found, `no_lungs` has the reason, and the zones are thirds of the image's halves. There is then
    neither a mediastinum nor an outside.
    """

    zones: NDArray[np.uint8]
    no_lungs: str = ""


@dataclass(frozen=True, slots=True)
class ZoneShare:
    """A zone's share of the positive evidence, and of the image's area. Evidence spread at random makes them equal."""

    zone: Zone
    share: float
    area: float


def zones_of(lungs: Lungs | NoLungs) -> ZoneMap:
    """The zones of two lungs, or of an image without outlined lungs."""
    if isinstance(lungs, NoLungs):
        return ZoneMap(_thirds_of_image(), lungs.reason)
    zones = np.full(lungs.right.shape, OUTSIDE, np.uint8)
    zones[_between(lungs)] = MEDIASTINUM
    for first, lung in ((0, lungs.right), (3, lungs.left)):
        zones[lung] = (first + _thirds(lung))[lung]
    return ZoneMap(zones)


def shares(heatmap: Map, where: ZoneMap, place: Placement = WHOLE) -> tuple[ZoneShare, ...]:
    """The share of a map's positive evidence in each zone, in the order of `ZONES`.

    Args:
        heatmap: [h, w] over a frame, in any unit. Negative values are evidence against the label and are left out.
        where: the zones of the whole image.
        place: position of the frame on the image.

    Returns:
        Shares that sum to 1, or are all 0 where the map has no positive evidence. There are six for thirds of an image.
    """
    evidence = resample(np.maximum(heatmap, 0), (where.zones.shape[0], where.zones.shape[1]), place)
    flat = where.zones.ravel()
    sums = np.bincount(flat, weights=evidence.ravel(), minlength=len(ZONES))
    areas = np.bincount(flat, minlength=len(ZONES)) / flat.size
    total = float(sums.sum()) or 1.0
    present = LUNG_ZONES if where.no_lungs else ZONES
    return tuple(
        ZoneShare(zone, float(part / total), float(area))
        for zone, part, area in zip(present, sums[: len(present)], areas[: len(present)], strict=True)
    )


def _thirds_of_image() -> NDArray[np.uint8]:
    row, column = np.indices((GRID, GRID))
    return (3 * (column * 2 // GRID) + row * 3 // GRID).astype(np.uint8)


def _thirds(lung: Mask) -> NDArray[np.uint8]:
    """[S, S]: 0, 1 or 2 for the upper, middle and lower third of the lung's height."""
    rows = np.flatnonzero(lung.any(axis=1))
    top, height = int(rows[0]), len(rows)
    third = (np.arange(len(lung)) - top) * 3 // height
    return np.clip(third, 0, 2).astype(np.uint8)[:, np.newaxis].repeat(lung.shape[1], axis=1)


def _between(lungs: Lungs) -> Mask:
    """The area between the lungs' inner edges, from their tops down to the diaphragm.

    In rows that one lung does not reach, its edge is that of the nearest row that it reaches.
    """
    right_edge = _edge(lungs.right, from_left=False)
    left_edge = _edge(lungs.left, from_left=True)
    side = len(right_edge)
    columns = np.arange(side)
    between = (columns > right_edge[:, np.newaxis]) & (columns < left_edge[:, np.newaxis])
    tops = [int(np.flatnonzero(lung.any(axis=1))[0]) for lung in (lungs.right, lungs.left)]
    bottom = max(_diaphragm(lungs.right), _diaphragm(lungs.left))
    between[: min(tops)] = False
    between[bottom + 1 :] = False
    return np.asarray(between)


def _edge(lung: Mask, from_left: bool) -> NDArray[np.float64]:
    """[S] the column of a lung's inner edge in each row: the first from the left, or the last."""
    rows = np.flatnonzero(lung.any(axis=1))
    first = lung.argmax(axis=1) if from_left else lung.shape[1] - 1 - lung[:, ::-1].argmax(axis=1)
    return np.asarray(np.interp(np.arange(len(lung)), rows, first[rows]))


def _diaphragm(lung: Mask) -> int:
    widths = lung.sum(axis=1)
    return int(np.flatnonzero(widths >= DIAPHRAGM * widths.max())[-1])
