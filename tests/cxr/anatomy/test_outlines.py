"""Outlines of zones: each surrounds its zone, is closed, and has at most a few hundred points."""

import cv2
import numpy as np
import pytest

from cxr.anatomy.outlines import outlines
from cxr.anatomy.plausibility import Lungs, Mask, NoLungs
from cxr.anatomy.zones import LUNG_ZONES, OUTSIDE, ZONES, ZoneMap, zones_of

SIDE = 256


def lungs() -> Lungs:
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    right, left = (((x - centre) / 0.14) ** 2 + ((y - 0.45) / 0.3) ** 2 < 1 for centre in (0.3, 0.7))
    return Lungs(right, left)


def filled(where: ZoneMap, zone: int) -> Mask:
    """The area inside a zone's outline, at the map's own size."""
    side = len(where.zones)
    area = np.zeros((side, side), np.uint8)
    for one in outlines(where):
        if one.zone == ZONES[zone]:
            cv2.fillPoly(area, [np.rint(np.array(one.points) * side).astype(np.int32)], 1)
    return area.astype(np.bool_)


@pytest.mark.parametrize("zone", range(OUTSIDE), ids=ZONES[:OUTSIDE])
def test_a_line_encloses_its_zone(zone: int) -> None:
    where = zones_of(lungs())
    inside, expected = filled(where, zone), where.zones == zone
    assert (inside & expected).sum() > 0.95 * (inside | expected).sum()


def test_they_are_few_points_on_the_image() -> None:
    found = outlines(zones_of(lungs()))
    assert {one.zone for one in found} == set(ZONES[:OUTSIDE])
    points = [share for one in found for point in one.points for share in point]
    assert 0 <= min(points) <= max(points) <= 1
    assert len(points) < 1500


def test_without_lungs_zones_are_thirds() -> None:
    found = outlines(zones_of(NoLungs("nobody looked")))
    assert [one.zone for one in found] == list(LUNG_ZONES)
    assert all(len(one.points) <= 12 for one in found)
