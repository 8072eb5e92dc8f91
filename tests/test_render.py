"""Pictures: the map lies where it should, and no word leaves the canvas or meets another."""

import dataclasses

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cxr.heatmap import FINE, blend, colour_bar, field, heatmap_png
from cxr.render import BLACK, MARGIN, Caption, _Layout, overlay_png

CAPTION = Caption(
    headline="COVID-19, probability 0.93",
    detail="Map: evidence for COVID-19, by Grad-CAM++ of resnet18-0",
    notes=("No other class fits at 90% coverage.",),
    probabilities=(("normal", 0.02, "0.02"), ("pneumonia", 0.05, "0.05"), ("COVID-19", 0.93, "0.93")),
    marked=2,
)
SHAPES = [(300, 200), (200, 300), (64, 64), (64, 1500), (1500, 64), (3001, 2003)]


def hot(row: int, column: int, shape: tuple[int, int] = (7, 7)) -> NDArray[np.float32]:
    heatmap = np.zeros(shape, np.float32)
    heatmap[row, column] = 3.5
    return heatmap


def decoded(data: bytes) -> NDArray[np.uint8]:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert image is not None
    return image if image.ndim == 2 else image[..., ::-1]  # type: ignore[return-value]


def centre_of_mass(weights: NDArray[np.floating]) -> tuple[float, float]:
    """In fractions of height and width, pixel centres at half pixels."""
    rows, columns = np.indices(weights.shape) + 0.5
    total = weights.sum()
    height, width = weights.shape
    return float((rows * weights).sum() / total / height), float((columns * weights).sum() / total / width)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("row", "column"), [(1, 5), (3, 3), (5, 2)])
def test_a_hot_cell_lands_on_its_part_of_the_image(shape: tuple[int, int], row: int, column: int) -> None:
    image = decoded(heatmap_png(hot(row, column), shape))
    assert image.shape == shape
    assert image.max() >= 254
    y, x = centre_of_mass(image.astype(float) ** 2)
    assert y == pytest.approx((row + 0.5) / 7, abs=0.6 / shape[0] + 0.002)
    assert x == pytest.approx((column + 0.5) / 7, abs=0.6 / shape[1] + 0.002)


def test_flipping_and_turning_the_image_flips_and_turns_the_map() -> None:
    heatmap = np.random.default_rng(0).random((5, 7), dtype=np.float32)
    straight = field(heatmap, (210, 330))
    np.testing.assert_allclose(field(heatmap[:, ::-1], (210, 330)), straight[:, ::-1], atol=1e-5)
    np.testing.assert_allclose(field(heatmap[::-1], (210, 330)), straight[::-1], atol=1e-5)
    np.testing.assert_allclose(field(np.rot90(heatmap), (330, 210)), np.rot90(straight), atol=1e-5)


def test_field_is_in_the_unit_range_and_peaks_at_one() -> None:
    strength = field(np.random.default_rng(1).random((14, 14), dtype=np.float32) * 1e-20, (500, 400))
    assert strength.min() >= 0
    assert strength.max() == 1
    assert strength.dtype == np.float32


def test_a_map_without_evidence_stays_empty() -> None:
    empty = np.zeros((7, 7), np.float32)
    assert not decoded(heatmap_png(empty, (90, 120))).any()
    pixels = np.random.default_rng(2).integers(0, 256, (90, 120), dtype=np.uint8)
    painted = blend(pixels, field(empty, (90, 120)))
    assert all(np.array_equal(painted[..., channel], pixels) for channel in range(3))


def test_enlarging_a_large_map_is_within_a_grey_level_of_doing_it_at_once() -> None:
    shape = (2 * FINE, 2 * FINE + 300)
    heatmap = np.random.default_rng(3).random((7, 7), dtype=np.float32)
    exact = field(heatmap, shape) * 255
    assert np.abs(decoded(heatmap_png(heatmap, shape)) - exact).max() < 2


def test_brighter_means_more_evidence_all_along_the_bar() -> None:
    red, green, blue = np.moveaxis(colour_bar(256, 4)[::-1, 0].astype(float), -1, 0)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    upper = luminance[110:]  # below, the bar fades from the radiograph's grey into the colours
    assert (np.diff(upper) >= -1).all()
    assert upper[-1] - upper[0] > 80


@pytest.mark.parametrize("shape", SHAPES)
def test_overlay_is_registered_and_the_radiograph_unpainted(shape: tuple[int, int]) -> None:
    pixels = np.full(shape, 120, np.uint8)
    picture = decoded(overlay_png(pixels, hot(2, 5), CAPTION))
    layout = _Layout.of(shape)
    width, height = layout.image
    plain, painted = (picture[y : y + height, x : x + width] for x, y in (layout.origin(0), layout.origin(1)))
    assert (plain == 120).all()
    y, x = centre_of_mass(np.abs(painted.astype(float) - 120).sum(axis=2))
    assert y == pytest.approx(2.5 / 7, abs=0.5 / height + 0.005)
    assert x == pytest.approx(5.5 / 7, abs=0.5 / width + 0.005)
    assert width / height == pytest.approx(shape[1] / shape[0], rel=0.03)


LONG = Caption(
    headline="Pneumonia, probability under 0.01, " * 3,
    detail=f"Map: evidence for pneumonia, which is not the prediction, by Grad-CAM++ of {'w' * 64}",
    notes=(
        "Uncertain: at 90% coverage none of the three classes can be ruled out.",
        "The network found none: the map is empty.",
        "This network alone favours pneumonia (over 0.99), unlike the ensemble.",
    ),
    probabilities=(("normal", 1.0, "over 0.99"), ("pneumonia", 0.0, "under 0.01"), ("COVID-19", 0.0, "under 0.01")),
    marked=1,
)


@pytest.mark.parametrize("caption", [CAPTION, LONG], ids=["plain", "long"])
@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_leaves_the_canvas(shape: tuple[int, int], caption: Caption) -> None:
    picture = decoded(overlay_png(np.full(shape, 255, np.uint8), hot(0, 0), caption))
    height, width, _ = picture.shape
    assert max(height, width) <= 1600
    edge = 10
    assert edge < MARGIN
    inside = np.zeros((height, width), bool)
    inside[edge:-edge, edge:-edge] = True
    assert (picture[~inside] == BLACK).all()


def test_every_figure_of_the_caption_changes_the_picture() -> None:
    pixels, heatmap = np.zeros((100, 100), np.uint8), hot(3, 3)
    pictures = {
        overlay_png(pixels, heatmap, caption)
        for caption in (
            CAPTION,
            dataclasses.replace(CAPTION, headline="Normal"),
            dataclasses.replace(CAPTION, detail="Map"),
            dataclasses.replace(CAPTION, notes=()),
            dataclasses.replace(CAPTION, probabilities=(("normal", 0.9, "0.90"),), marked=0),
            dataclasses.replace(CAPTION, marked=1),
        )
    }
    assert len(pictures) == 6
