"""DICOM: the area under a display shutter is not part of the image."""

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from cxr.decode import decode
from cxr.decode.dicom.acceptance import decode_dicom, preview_dicom
from cxr.decode.dicom.shutter import outside
from tests import files
from tests.cxr.decode.scenes import COLUMNS, ROWS, dicom, linear, scene, stretched

ROW, COLUMN = np.mgrid[1 : ROWS + 1, 1 : COLUMNS + 1]
WINDOW: dict[str, Any] = {"WindowCenter": "2048", "WindowWidth": "3600"}
RECTANGLE: dict[str, Any] = {
    "ShutterShape": "RECTANGULAR",
    "ShutterUpperHorizontalEdge": "11",
    "ShutterLowerHorizontalEdge": "80",
    "ShutterLeftVerticalEdge": "21",
    "ShutterRightVerticalEdge": "60",
}
CIRCLE: dict[str, Any] = {
    "ShutterShape": "CIRCULAR",
    "CenterOfCircularShutter": ["50", "40"],
    "RadiusOfCircularShutter": "30",
}
TRIANGLE: dict[str, Any] = {
    "ShutterShape": "POLYGONAL",
    "VerticesOfThePolygonalShutter": ["1", "1", "81", "1", "81", "81"],  # row\column
}
IN_RECTANGLE = (ROW >= 11) & (ROW <= 80) & (COLUMN >= 21) & (COLUMN <= 60)
IN_CIRCLE = np.hypot(ROW - 50, COLUMN - 40) <= 30
IN_TRIANGLE = (COLUMN <= ROW) & (ROW <= 81)


@pytest.mark.parametrize(
    ("shutter", "shown"),
    [
        (RECTANGLE, IN_RECTANGLE),
        (CIRCLE, IN_CIRCLE),
        (TRIANGLE, IN_TRIANGLE),
        (RECTANGLE | CIRCLE | {"ShutterShape": ["RECTANGULAR", "CIRCULAR"]}, IN_RECTANGLE & IN_CIRCLE),
    ],
    ids=["rectangle", "circle", "polygon", "rectangle and circle"],
)
@pytest.mark.parametrize("inverse", [False, True])
def test_the_covered_area_is_black_and_ignored_by_percentiles(
    shutter: dict[str, Any], shown: Any, inverse: bool
) -> None:
    stored = np.where(shown, scene(), 65_000)
    photometric = "MONOCHROME1" if inverse else "MONOCHROME2"
    expected = np.zeros((ROWS, COLUMNS))
    for elements, seen in (
        (WINDOW, linear(scene()[shown], 2048, 3600)),
        ({}, stretched(scene()[shown])),
    ):
        expected[shown] = 255 - seen if inverse else seen
        data = dicom(stored, 16, PhotometricInterpretation=photometric, **shutter, **elements)
        assert np.abs(decode(data).pixels - expected).max() <= 1


def test_its_grey_is_the_one_that_the_file_states() -> None:
    pixels = decode(dicom(scene(), **WINDOW, **RECTANGLE, ShutterPresentationValue=0x8000)).pixels
    assert set(pixels[~IN_RECTANGLE]) == {128}


@pytest.mark.parametrize(
    ("stated", "grey"), [(None, 0), (0, 0), (0xFFFF, 255), (0x8000, 128), (51_528, 200), (51_529, 201)]
)
def test_a_stated_grey_is_the_same_share_of_white(stated: int | None, grey: int) -> None:
    dataset = Dataset()
    if stated is not None:
        dataset.ShutterPresentationValue = stated
    assert outside(dataset) == grey


def test_it_covers_colour_too() -> None:
    grey = (scene() >> 4).astype(np.uint8)
    data = files.changed(files.synthetic_dicom(np.stack([grey] * 3, -1)), **RECTANGLE)
    expected = np.where(IN_RECTANGLE, grey, 0)
    assert np.array_equal(decode_dicom(data).pixels, expected)
    assert np.array_equal(decode(data).pixels, expected)
    seen = preview_dicom(data)
    assert np.array_equal(seen.values, expected.astype(np.uint16) * 257)
    assert seen.values.dtype == np.uint16


def test_a_corner_may_lie_65535_pixels_away_and_a_circle_has_its_own_radius() -> None:
    far: dict[str, Any] = {
        "ShutterShape": "POLYGONAL",
        "VerticesOfThePolygonalShutter": ["1", "1", "65535", "1", "81", "81"],
    }
    whole = decode_dicom(dicom(scene(), **WINDOW)).pixels
    assert not np.array_equal(decode_dicom(dicom(scene(), **WINDOW, **far)).pixels, whole)
    half: dict[str, Any] = {
        "ShutterShape": "CIRCULAR",
        "CenterOfCircularShutter": "50",
        "RadiusOfCircularShutter": ["40", "30"],
    }
    assert np.array_equal(decode_dicom(dicom(scene(), **WINDOW, **half)).pixels, whole)


@pytest.mark.parametrize(
    "shutter",
    [
        {"ShutterShape": "RECTANGULAR", "ShutterUpperHorizontalEdge": "11"},
        {"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": ["50", "40"]},
        {"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": ["1", "1"]},
        {"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": ["1", "1", "99999999", "1", "81", "81"]},
        {"ShutterShape": "BITMAP"},
        RECTANGLE | {"ShutterUpperHorizontalEdge": "500"},
        RECTANGLE | {"ShutterShape": ""},
    ],
)
def test_one_that_is_not_stated_in_full_or_covers_all_is_left_out(shutter: dict[str, Any]) -> None:
    assert np.array_equal(decode(dicom(scene(), **WINDOW, **shutter)).pixels, decode(dicom(scene(), **WINDOW)).pixels)
