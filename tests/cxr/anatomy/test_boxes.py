"""Boxes: around the known centre, in pixels of the stored file, for every orientation."""

from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cxr.anatomy.boxes import GRID, MOST, Box, critical_regions, opacity_boxes, opacity_regions
from cxr.decode import decode
from cxr.decode.orientation import MIRRORED
from cxr.decode.radiograph import Radiograph
from cxr.model.frames import Placement
from tests import files
from tests.cxr.anatomy.test_zones import spot

HEIGHT, WIDTH = 300, 200
BRIGHT = (140, 60)  # x, y of the one bright spot of the stored image


def stored_image() -> NDArray[np.uint8]:
    """Dark, with one bright square at `BRIGHT`."""
    pixels = np.tile(np.linspace(10, 40, WIDTH).astype(np.uint8), (HEIGHT, 1))
    x, y = BRIGHT
    pixels[y - 8 : y + 9, x - 8 : x + 9] = 250
    return pixels


def box_of_the_bright_spot(radiograph: Radiograph) -> Box:
    """The critical region of a map that equals the bright spot of the displayed radiograph."""
    rows, columns = radiograph.pixels.shape
    y, x = (index.mean() for index in np.nonzero(radiograph.pixels > 128))
    (box,) = critical_regions(spot((x + 0.5) / columns, (y + 0.5) / rows, side=16, sigma=0.05), radiograph)
    return box


def centre(box: Box) -> tuple[float, float]:
    return box.x + box.width / 2, box.y + box.height / 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_of_a_turned_jpeg_are_in_its_stored_pixels(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = BytesIO()
    Image.fromarray(stored_image()).save(buffer, "JPEG", quality=95, exif=exif)
    radiograph = decode(buffer.getvalue())
    assert radiograph.turned == orientation
    assert radiograph.pixels.shape == ((HEIGHT, WIDTH) if orientation < 5 else (WIDTH, HEIGHT))
    assert centre(box_of_the_bright_spot(radiograph)) == pytest.approx(BRIGHT, abs=4)


@pytest.mark.parametrize(("orientation", "turned"), [("L\\F", 1), ("R\\F", MIRRORED)])
def test_boxes_of_a_mirrored_dicom_are_in_its_stored_pixels(orientation: str, turned: int) -> None:
    stored = stored_image().astype(np.uint16) * 16
    radiograph = decode(
        files.synthetic_dicom(
            stored, PatientOrientation=orientation.split("\\"), WindowCenter="2048", WindowWidth="4096"
        )
    )
    assert radiograph.turned == turned
    shown = radiograph.pixels[BRIGHT[1], BRIGHT[0]] > 128
    assert shown == (turned == 1)
    assert centre(box_of_the_bright_spot(radiograph)) == pytest.approx(BRIGHT, abs=4)


def plain(height: int = HEIGHT, width: int = WIDTH) -> Radiograph:
    return Radiograph(np.zeros((height, width), np.uint8), "image/png", None, ())


@pytest.mark.parametrize(("height", "width"), [(300, 200), (200, 300), (64, 64), (1955, 1841)])
@pytest.mark.parametrize(("x", "y"), [(0.2, 0.3), (0.8, 0.6), (0.02, 0.98)])
def test_a_box_is_around_its_spot_and_inside_the_image(height: int, width: int, x: float, y: float) -> None:
    for side in (16, 224):
        (box,) = critical_regions(spot(x, y, side=side, sigma=0.05), plain(height, width))
        assert box.x <= x * width <= box.x + box.width
        assert box.y <= y * height <= box.y + box.height
        assert 0 <= box.x < box.x + box.width <= width
        assert 0 <= box.y < box.y + box.height <= height
        assert max(box.width / width, box.height / height) < 0.4
        assert 0.2 < box.share <= 1


def test_two_spots_have_two_boxes_the_stronger_first() -> None:
    heatmap = spot(0.2, 0.3, side=64, sigma=0.06) + 0.8 * spot(0.8, 0.7, side=64, sigma=0.04)
    first, second = critical_regions(heatmap, plain())
    assert centre(first) == pytest.approx((0.2 * WIDTH, 0.3 * HEIGHT), abs=6)
    assert centre(second) == pytest.approx((0.8 * WIDTH, 0.7 * HEIGHT), abs=6)
    assert first.share > second.share


def test_a_spread_out_map_has_boxes_of_its_peak_and_not_of_the_image() -> None:
    heatmap = 0.8 + 0.2 * spot(0.3, 0.4, side=14, sigma=0.2)
    (box,) = critical_regions(heatmap, plain())
    assert box.width * box.height < 0.2 * WIDTH * HEIGHT
    assert centre(box) == pytest.approx((0.3 * WIDTH, 0.4 * HEIGHT), abs=WIDTH / 14)


def test_noise_has_few_boxes_and_nothing_has_none() -> None:
    noise = np.random.default_rng(0).random((224, 224), np.float32)
    assert 1 <= len(critical_regions(noise, plain())) <= MOST
    assert critical_regions(np.zeros((7, 7), np.float32), plain()) == ()
    assert critical_regions(-noise, plain()) == ()
    assert GRID >= 2 * 14


def test_a_map_of_opacities_has_a_box_in_each_half_as_wide_as_half_of_its_peak() -> None:
    heatmap = np.zeros((7, 7), np.float32)
    heatmap[1:5, 1], heatmap[4, 5] = 0.8, 0.4
    (left, strong), (right, weak) = opacity_regions(heatmap, Placement(0.2, 0.0, 0.8, 1.0))
    assert (strong, weak) == pytest.approx((0.8, 0.4), abs=0.15)
    assert left == pytest.approx((0.2 + 0.6 / 7, 1 / 7, 0.6 / 7, 4 / 7), abs=0.03)
    assert right == pytest.approx((0.2 + 0.6 * 5 / 7, 4 / 7, 0.6 / 7, 1 / 7), abs=0.03)
    assert opacity_regions(np.zeros((7, 7), np.float32)) == []


def test_boxes_of_opacities_are_in_the_stored_pixels_the_strongest_first() -> None:
    heatmap = np.zeros((7, 7), np.float32)
    heatmap[3, 1], heatmap[3, 5] = 0.3, 0.9
    radiograph = Radiograph(stored_image(), "image/png", None, ())
    first, second = opacity_boxes(heatmap, radiograph)
    assert centre(first) == pytest.approx((WIDTH * 5.5 / 7, HEIGHT / 2), abs=6)
    assert centre(second) == pytest.approx((WIDTH * 1.5 / 7, HEIGHT / 2), abs=6)
    assert first.share > second.share
