"""Frames: the cut-out area, the background, and the mapping back to the whole radiograph."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cxr.anatomy.boxes import critical_regions
from cxr.anatomy.plausibility import Lungs, judge
from cxr.anatomy.zones import shares, zones_of
from cxr.decode.radiograph import Radiograph
from cxr.model.frames import (
    FULL,
    LUNGS,
    MARGIN,
    SIDE,
    WHOLE,
    Placement,
    full_frame,
    in_frame,
    lung_frame,
    placement,
    window,
)
from cxr.report.heatmap import field, heatmap_png, resample
from tests.cxr.anatomy.test_zones import CENTRES, lungs_mask, spot

SHAPES = ((256, 256), (256, 320), (340, 256), (64, 80), (256, 2000))


def noise(shape: tuple[int, int], low: int = 0, high: int = 256) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(low, high, shape, dtype=np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_lung_frame_is_a_square_whatever_the_image(shape: tuple[int, int]) -> None:
    image = noise(shape)
    before = image.copy()
    framed = lung_frame(image, lungs_mask())
    assert framed.shape == (SIDE, SIDE)
    assert framed.dtype == np.uint8
    assert np.array_equal(image, before)


@pytest.mark.parametrize("mask", [None, np.zeros((128, 128), bool)])
def test_without_lungs_it_is_the_full_frame(mask: NDArray[np.bool_] | None) -> None:
    image = noise((256, 300))
    assert np.array_equal(lung_frame(image, mask), image)
    assert placement(LUNGS, mask) == WHOLE


def test_a_full_frame_is_the_image_whatever_its_lungs() -> None:
    image = noise((256, 300))
    assert full_frame(image, lungs_mask()) is image
    assert placement(FULL, lungs_mask()) == WHOLE


def test_pixels_outside_the_lungs_do_not_matter() -> None:
    """Two images that differ only far from the lungs have the same frame."""
    mask = lungs_mask()
    large = cv2.resize(mask.astype(np.uint8), (300, 256))
    near = cv2.dilate(large, np.ones((75, 75), np.uint8)) > 0
    one = noise((256, 300))
    other = np.where(near, one, 255 - one)
    assert not np.array_equal(one, other)
    assert np.array_equal(lung_frame(one, mask), lung_frame(other, mask))


def test_the_rest_is_the_mean_grey_of_the_lungs_and_the_lungs_are_as_they_were() -> None:
    mask = lungs_mask()
    image = np.where(cv2.resize(mask.astype(np.uint8), (256, 256)) > 0, 90, 200).astype(np.uint8)
    framed = lung_frame(image, mask)
    inside = in_frame(mask, placement(LUNGS, mask))
    deep = cv2.erode(cv2.resize(inside.astype(np.uint8), (SIDE, SIDE)), np.ones((25, 25))) > 0
    far = cv2.dilate(cv2.resize(inside.astype(np.uint8), (SIDE, SIDE)), np.ones((75, 75))) == 0
    assert deep.any()
    assert set(np.unique(framed[deep])) == {90}
    assert far.any()
    assert abs(int(framed[far].min()) - 90) <= 3  # the mask's border is not pixel-exact
    assert np.ptp(framed[far]) == 0


def test_the_box_is_the_masks_widened_on_each_side() -> None:
    mask = np.zeros((100, 100), bool)
    mask[20:70, 30:80] = True
    place = placement(LUNGS, mask)
    assert (place.left, place.top) == pytest.approx((0.3 - 0.5 * MARGIN, 0.2 - 0.5 * MARGIN))
    assert (place.right, place.bottom) == pytest.approx((0.8 + 0.5 * MARGIN, 0.7 + 0.5 * MARGIN))
    mask[:] = True
    assert placement(LUNGS, mask) == WHOLE


def test_views_give_what_their_copies_give() -> None:
    image, mask = noise((300, 512)), lungs_mask()
    for view, turned in ((image[:, ::-1], mask[:, ::-1]), (image.T, mask.T)):
        expected = lung_frame(np.ascontiguousarray(view), np.ascontiguousarray(turned))
        assert np.array_equal(lung_frame(view, turned), expected)


def test_a_mirrored_image_has_a_mirrored_frame() -> None:
    image, mask = noise((256, 256), 60, 200), lungs_mask()
    straight, mirrored = lung_frame(image, mask), lung_frame(image[:, ::-1], mask[:, ::-1])
    assert np.abs(mirrored[:, ::-1].astype(int) - straight).mean() < 3


# --- Mapping back to the radiograph


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("at", [(38 / 128, 40 / 128), (92 / 128, 90 / 128)])
def test_a_map_over_the_frame_comes_back_to_where_the_image_has_it(
    shape: tuple[int, int], at: tuple[float, float]
) -> None:
    """A bright spot in a lung, located in the frame, is mapped back to its own position."""
    height, width = shape
    x, y = int(at[0] * width), int(at[1] * height)
    image = np.full(shape, 60, np.uint8)
    image[max(0, y - height // 50) : y + height // 50 + 1, max(0, x - width // 50) : x + width // 50 + 1] = 250
    seen = lung_frame(image, lungs_mask()).astype(np.float32)
    heatmap = np.where(seen > 150, seen, 0).astype(np.float32)
    assert heatmap.any()
    back = resample(heatmap, (480, 600), placement(LUNGS, lungs_mask()))
    rows, columns = np.nonzero(back > 100)
    assert (columns.mean() / 600, rows.mean() / 480) == pytest.approx(((x + 0.5) / width, (y + 0.5) / height), abs=0.01)


@pytest.mark.parametrize("side", [7, 14, 224])
def test_a_map_is_zero_outside_its_frame_and_whole_inside(side: int) -> None:
    place = Placement(0.25, 0.1, 0.75, 0.6)
    rows, columns = window(place, (200, 400))
    assert (rows, columns) == (slice(20, 120), slice(100, 300))
    heatmap = np.random.default_rng(0).random((side, side), dtype=np.float32) + 0.5
    for made in (resample(heatmap, (200, 400), place), field(heatmap, (200, 400), place)):
        inside = made[rows, columns].copy()
        made[rows, columns] = 0
        assert not made.any()
        assert (inside > 0).all()
    np.testing.assert_array_equal(field(heatmap, (200, 400), place)[rows, columns], field(heatmap, (100, 200)))


def test_the_frame_of_a_thumbnail_has_a_pixel() -> None:
    assert window(Placement(0.999, 0.0, 1.0, 0.001), (10, 10)) == (slice(0, 1), slice(9, 10))


@pytest.mark.parametrize("signed", [False, True])
def test_a_png_is_of_the_whole_radiograph_and_empty_outside_the_frame(signed: bool) -> None:
    place = Placement(0.25, 0.25, 0.75, 0.75)
    shown = cv2.imdecode(
        np.frombuffer(heatmap_png(np.ones((7, 7), np.float32), (120, 200), signed, place), np.uint8),
        cv2.IMREAD_UNCHANGED,
    )
    assert shown is not None
    assert shown.shape == (120, 200)
    assert set(np.unique(shown[:28])) == {128 if signed else 0}
    assert shown[60, 100] == 255


@pytest.mark.parametrize("zone", ["right_upper", "left_lower", "mediastinum"])
def test_evidence_in_a_lung_frame_lies_in_its_zone_of_the_radiograph(zone: str) -> None:
    lungs = judge(lungs_mask())
    assert isinstance(lungs, Lungs)
    place = placement(LUNGS, lungs_mask())
    x, y = CENTRES[zone]  # type: ignore[index]
    inside = (x - place.left) / (place.right - place.left), (y - place.top) / (place.bottom - place.top)
    best = max(shares(spot(*inside), zones_of(lungs), place), key=lambda part: part.share)
    assert best.zone == zone
    assert best.share > 0.9


def test_boxes_of_a_lung_frame_are_in_the_radiographs_pixels() -> None:
    radiograph = Radiograph(noise((400, 300)), "image/png", None, ())
    place = Placement(0.5, 0.25, 1.0, 0.75)
    (box,) = critical_regions(spot(0.5, 0.5, side=16, sigma=0.05), radiograph, place)
    assert (box.x + box.width / 2, box.y + box.height / 2) == pytest.approx((0.75 * 300, 0.5 * 400), abs=4)
    assert box.share > 0.5


def test_a_mask_in_the_frame_is_what_the_frame_shows_of_it() -> None:
    mask = lungs_mask()
    place = placement(LUNGS, mask)
    framed = in_frame(mask, place)
    assert framed.shape == mask.shape
    area = (place.right - place.left) * (place.bottom - place.top)
    assert framed.mean() == pytest.approx(mask.mean() / area, rel=0.03)
    assert in_frame(mask, WHOLE) is mask
