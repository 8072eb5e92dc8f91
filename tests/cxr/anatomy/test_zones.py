"""Zones: maps with a known centre are in the zone that a reader would name, flipped and turned images too."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cxr.anatomy.plausibility import Lungs, NoLungs, judge
from cxr.anatomy.zones import GRID, LUNG_ZONES, MEDIASTINUM, OUTSIDE, ZONES, Zone, shares, zones_of

SIDE = 128


def lungs_mask() -> NDArray[np.bool_]:
    """The patient's right lung: columns 20 to 56, rows 20 to 110; the left: 76 to 108, 24 to 108."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.ellipse(mask, (38, 65), (18, 45), 0, 0, 360, 1, cv2.FILLED)
    cv2.ellipse(mask, (92, 66), (16, 42), 0, 0, 360, 1, cv2.FILLED)
    return mask.astype(bool)


def found(mask: NDArray[np.bool_]) -> Lungs:
    lungs = judge(mask)
    assert isinstance(lungs, Lungs)
    return lungs


def spot(x: float, y: float, side: int = 224, sigma: float = 0.015) -> NDArray[np.float32]:
    """A map with one Gaussian spot at a fraction of width and height."""
    row, column = (np.indices((side, side)) + 0.5) / side
    return np.asarray(np.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * sigma**2)), dtype=np.float32)


CENTRES: dict[Zone, tuple[float, float]] = {
    "right_upper": (38 / SIDE, 34 / SIDE),
    "right_middle": (38 / SIDE, 65 / SIDE),
    "right_lower": (38 / SIDE, 96 / SIDE),
    "left_upper": (92 / SIDE, 36 / SIDE),
    "left_middle": (92 / SIDE, 66 / SIDE),
    "left_lower": (92 / SIDE, 96 / SIDE),
    "mediastinum": (66 / SIDE, 70 / SIDE),
    "outside": (0.05, 0.95),
}


def strongest(heatmap: NDArray[np.float32], lungs: Lungs | NoLungs) -> tuple[Zone, float]:
    best = max(shares(heatmap, zones_of(lungs)), key=lambda zone: zone.share)
    return best.zone, best.share


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("side", [64, 128, 224, 448])
def test_a_spot_lies_in_its_zone(zone: Zone, side: int) -> None:
    name, share = strongest(spot(*CENTRES[zone], side=side), found(lungs_mask()))
    assert name == zone
    assert share > 0.95


def mirrored(zone: Zone) -> Zone:
    """The zone on the other side."""
    return next(
        other for other in ZONES if other == zone.replace("right", "*").replace("left", "right").replace("*", "left")
    )


@pytest.mark.parametrize("zone", ZONES)
def test_a_mirrored_image_has_its_spot_on_the_other_side(zone: Zone) -> None:
    name, share = strongest(spot(*CENTRES[zone])[:, ::-1], found(lungs_mask()[:, ::-1]))
    assert name == mirrored(zone)
    assert share > 0.95


@pytest.mark.parametrize("zone", ZONES)
def test_a_slightly_rotated_image_keeps_its_zones(zone: Zone) -> None:
    turn = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), 8, 1)
    mask = cv2.warpAffine(lungs_mask().astype(np.uint8), turn, (SIDE, SIDE)).astype(bool)
    heatmap = cv2.warpAffine(spot(*CENTRES[zone], side=SIDE), turn, (SIDE, SIDE)).astype(np.float32)
    name, share = strongest(heatmap, found(mask))
    assert name == zone
    assert share > 0.9


@pytest.mark.parametrize("turns", [1, 3])
@pytest.mark.parametrize("zone", LUNG_ZONES)
def test_an_image_on_its_side_falls_back_to_thirds_of_the_image(zone: Zone, turns: int) -> None:
    turned = judge(np.rot90(lungs_mask(), turns))
    assert isinstance(turned, NoLungs)
    where = zones_of(turned)
    assert where.no_lungs == turned.reason
    side, level = zone.split("_")
    x = 0.25 if side == "right" else 0.75
    y = {"upper": 1, "middle": 3, "lower": 5}[level] / 6
    name, share = strongest(spot(x, y), turned)
    assert name == zone
    assert share == pytest.approx(1, abs=1e-3)


def test_a_coarse_map_of_one_hot_cell_lies_where_the_cell_is() -> None:
    for zone, (x, y) in CENTRES.items():
        heatmap = np.zeros((14, 14), np.float32)
        heatmap[int(y * 14), int(x * 14)] = 2.0
        assert strongest(heatmap, found(lungs_mask()))[0] == zone


@pytest.mark.parametrize("lungs", [found(lungs_mask()), NoLungs("none")])
def test_shares_and_areas_sum_to_one_and_an_even_map_has_its_areas(lungs: Lungs | NoLungs) -> None:
    parts = shares(np.ones((7, 7), np.float32), zones_of(lungs))
    assert sum(part.share for part in parts) == pytest.approx(1)
    assert sum(part.area for part in parts) == pytest.approx(1)
    for part in parts:
        assert part.share == pytest.approx(part.area, abs=1e-4)


def test_negative_values_are_not_evidence() -> None:
    heatmap = spot(*CENTRES["left_lower"]) - 5 * spot(*CENTRES["right_upper"])
    name, share = strongest(heatmap, found(lungs_mask()))
    assert name == "left_lower"
    assert share == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("heatmap", [np.zeros((7, 7), np.float32), -np.ones((7, 7), np.float32)])
def test_a_map_without_evidence_has_no_shares(heatmap: NDArray[np.float32]) -> None:
    assert {part.share for part in shares(heatmap, zones_of(found(lungs_mask())))} == {0.0}


def test_every_point_of_a_lung_is_in_one_of_its_thirds() -> None:
    lungs = found(lungs_mask())
    zones = zones_of(lungs).zones
    assert set(zones[lungs.right]) == {0, 1, 2}
    assert set(zones[lungs.left]) == {3, 4, 5}
    assert set(zones[~(lungs.right | lungs.left)]) == {MEDIASTINUM, OUTSIDE}
    for third in range(3):
        rows = np.flatnonzero((zones == third).any(axis=1))
        assert len(rows) == pytest.approx(91 / 3, abs=1)


def test_the_mediastinum_ends_where_the_lungs_narrow() -> None:
    zones = zones_of(found(lungs_mask())).zones
    rows = np.flatnonzero((zones == MEDIASTINUM).any(axis=1))
    assert rows[0] == 20
    assert 95 < rows[-1] < 110
    columns = np.flatnonzero((zones == MEDIASTINUM).any(axis=0))
    assert columns[0] > 38
    assert columns[-1] < 92


PICTURE = """
................
................
.aaaammmmm......
.aaaammmmm......
.aaaammmmmdddd..
.bbbbmmmmmdddd..
.bbbbmmmmmeeee..
.bbbbmmmmmeeee..
.ccccmmmmmffff..
.cmmmmmmmmffff..
.c..............
................
................
................
................
................
"""


def test_every_point_of_two_square_lungs_is_in_its_zone() -> None:
    """The right lung ends in a narrow recess, the left one begins lower. The mediastinum begins at the higher top."""
    expected = np.array([[*"abcdefm."].index(letter) for row in PICTURE.split() for letter in row]).reshape(16, 16)
    lungs = Lungs(expected <= 2, (expected >= 3) & (expected <= 5))
    assert np.array_equal(zones_of(lungs).zones, expected)


def test_a_recess_of_half_the_width_is_above_the_diaphragm() -> None:
    right, left = np.zeros((16, 16), bool), np.zeros((16, 16), bool)
    right[2:8, 1:5] = left[2:8, 10:14] = True
    right[8:10, 1:3] = True
    rows = np.flatnonzero((zones_of(Lungs(right, left)).zones == MEDIASTINUM).any(axis=1))
    assert (rows[0], rows[-1]) == (2, 9)


def test_thirds_of_an_image_meet_at_its_middle_and_at_its_thirds() -> None:
    zones = zones_of(NoLungs("none")).zones
    corners = zones[[0, 41, 42, 83, 84, 125]]
    assert np.array_equal(corners[:, 62], [0, 0, 1, 1, 2, 2])
    assert np.array_equal(corners[:, 63], [3, 3, 4, 4, 5, 5])
    assert np.bincount(zones.ravel()).tolist() == [42 * 63] * 6


def test_without_lungs_there_is_neither_mediastinum_nor_outside() -> None:
    where = zones_of(NoLungs("none"))
    assert where.zones.shape == (GRID, GRID)
    assert set(where.zones.ravel()) == set(range(6))
    assert [part.zone for part in shares(np.ones((7, 7), np.float32), where)] == list(LUNG_ZONES)
