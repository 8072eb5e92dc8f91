"""Pictures: the map is in the right place, and no text leaves the canvas or overlaps other text."""

import dataclasses

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cxr.anatomy.outlines import outlines
from cxr.anatomy.plausibility import NoLungs
from cxr.anatomy.zones import OUTSIDE, ZoneMap, zones_of
from cxr.labels import DISPLAY_NAMES
from cxr.report.colour import OPACITY, blend, colour_bar, legend
from cxr.report.drawing import BLACK, MARGIN, font, outline, wrap
from cxr.report.explanation import METHOD_NAMES, METHODS, SIGNED, TAUGHT
from cxr.report.heatmap import FINE, SMALL, field, heatmap_png, resample, small
from cxr.report.render import Caption, Layer, _Layout, for_overlay, overlay, panel

CAPTION = Caption(
    headline="COVID-19, probability 0.93",
    detail="Map: evidence for COVID-19, by Grad-CAM++ of resnet18-0",
    notes=("No other class fits at 90 % coverage.",),
    probabilities=(("normal", 0.02, "0.02"), ("pneumonia", 0.05, "0.05"), ("COVID-19", 0.93, "0.93")),
    marked=2,
)
OUTSIDE_ONLY = outlines(ZoneMap(np.full((64, 64), OUTSIDE, np.uint8)))  # nothing to outline
THIRDS = outlines(zones_of(NoLungs("none")))
SHAPES = [(300, 200), (200, 300), (64, 64), (64, 1500), (1500, 64), (3001, 2003)]


def hot(row: int, column: int, shape: tuple[int, int] = (7, 7)) -> NDArray[np.float32]:
    heatmap = np.zeros(shape, np.float32)
    heatmap[row, column] = 3.5
    return heatmap


LAYER = Layer(hot(2, 5), "Grad-CAM++")


def decoded(data: bytes) -> NDArray[np.uint8]:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert image is not None
    return image if image.ndim == 2 else image[..., ::-1]  # type: ignore[return-value]


def centre_of_mass(weights: NDArray[np.floating]) -> tuple[float, float]:
    """The centre of mass in fractions of height and width, with pixel centres at half pixels."""
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


def luminance(colours: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.asarray(colours.astype(float) @ (0.2126, 0.7152, 0.0722))


@pytest.mark.parametrize("signed", [False, True])
def test_brighter_means_more_all_along_the_bar(signed: bool) -> None:
    bar = luminance(colour_bar(513, 4, signed)[::-1, 0])
    # From the middle on: below it the bar fades from the radiograph's grey into the colours.
    upper = bar[-160:]
    assert (np.diff(upper) >= -1).all()
    assert upper[-1] - upper[0] > 30
    if signed:
        assert np.abs(bar - bar[::-1]).max() < 30, "neither sign may look stronger"


def test_the_signs_have_hues_of_their_own() -> None:
    top, zero, bottom = colour_bar(513, 4, signed=True)[[0, 256, -1], 0].astype(int)
    assert top[0] > top[2] + 60
    assert bottom[2] > bottom[0] + 60
    assert np.ptp(zero) == 0


def signed_map(shape: tuple[int, int] = (224, 224)) -> NDArray[np.float32]:
    heatmap = np.zeros(shape, np.float32)
    heatmap[: shape[0] // 2, : shape[1] // 2] = 2
    heatmap[shape[0] // 2 :, shape[1] // 2 :] = -1
    return heatmap


def test_a_signed_map_is_orange_where_for_blue_where_against_and_grey_between() -> None:
    picture = np.asarray(
        overlay(np.full((400, 400), 120, np.uint8), Layer(signed_map(), "LRP", "", True), OUTSIDE_ONLY, CAPTION)
    )
    layout = _Layout.of((400, 400), 2)
    (x, y), (width, height) = layout.origin(1), layout.image
    upper_left, lower_right, upper_right = (
        picture[y + int(height * v), x + int(width * u)].astype(int) for u, v in ((0.2, 0.2), (0.8, 0.8), (0.8, 0.2))
    )
    assert upper_left[0] > upper_left[2] + 40
    assert lower_right[2] > lower_right[0] + 10
    assert (upper_right == 120).all()


def test_a_signed_heatmap_is_128_where_there_is_nothing() -> None:
    image = decoded(heatmap_png(signed_map(), (300, 200), signed=True)).astype(int)
    assert image[50, 150] == 128
    assert image[50, 50] == 255
    assert image[250, 150] == pytest.approx(64, abs=2)


def test_relevance_of_a_few_pixels_does_not_darken_the_rest() -> None:
    heatmap = np.random.default_rng(4).random((224, 224), np.float32)
    calm = field(heatmap, (224, 224))
    heatmap[100, 100] = 50
    assert np.median(field(heatmap, (224, 224))) > 0.5 * np.median(calm)
    assert field(heatmap, (224, 224)).max() == 1


def test_resampling_averages_when_it_shrinks_and_invents_no_sign() -> None:
    heatmap = np.random.default_rng(5).random((224, 224), np.float32)
    assert resample(heatmap, (56, 56)).mean() == pytest.approx(heatmap.mean(), rel=1e-4)
    coarse = hot(3, 3)
    assert resample(coarse, (224, 224)).min() == 0
    assert resample(-coarse, (224, 224)).max() == 0


@pytest.mark.parametrize("shape", SHAPES)
def test_overlay_is_registered_and_the_radiograph_unpainted(shape: tuple[int, int]) -> None:
    pixels = np.full(shape, 120, np.uint8)
    picture = np.asarray(overlay(pixels, LAYER, OUTSIDE_ONLY, CAPTION))
    layout = _Layout.of(shape, 2)
    width, height = layout.image
    plain, painted = (picture[y : y + height, x : x + width] for x, y in (layout.origin(0), layout.origin(1)))
    assert (plain == 120).all()
    y, x = centre_of_mass(np.abs(painted.astype(float) - 120).sum(axis=2))
    assert y == pytest.approx(2.5 / 7, abs=0.5 / height + 0.005)
    assert x == pytest.approx(5.5 / 7, abs=0.5 / width + 0.005)
    assert width / height == pytest.approx(shape[1] / shape[0], rel=0.03)


@pytest.mark.parametrize("cells", [(1, 5), (1, 3, 5), (1, 2, 3, 5)], ids=len)
def test_each_map_of_a_panel_is_in_its_column(cells: tuple[int, ...]) -> None:
    layers = tuple(Layer(hot(3, cell), "Map") for cell in cells)
    picture = np.asarray(panel(np.full((300, 240), 120, np.uint8), layers, OUTSIDE_ONLY, CAPTION))
    layout = _Layout.of((300, 240), 1 + len(cells))
    width, height = layout.image
    for column, cell in enumerate(cells, 1):
        x, y = layout.origin(column)
        painted = picture[y : y + height, x : x + width]
        _, across = centre_of_mass(np.abs(painted.astype(float) - 120).sum(axis=2))
        assert across == pytest.approx((cell + 0.5) / 7, abs=0.02)


def test_zones_are_outlined_on_the_map_alone() -> None:
    pixels = np.full((300, 300), 120, np.uint8)
    empty = Layer(np.zeros((7, 7), np.float32), "Map")
    with_zones = np.asarray(overlay(pixels, empty, THIRDS, CAPTION))
    without = np.asarray(overlay(pixels, empty, OUTSIDE_ONLY, CAPTION))
    layout = _Layout.of((300, 300), 2)
    (x, y), (width, height) = layout.origin(1), layout.image
    changed = np.argwhere((with_zones != without).any(axis=2))
    assert len(changed)
    assert (changed.min(axis=0) >= (y, x)).all()
    assert (changed.max(axis=0) < (y + height, x + width)).all()
    assert with_zones[y + height // 3, x + width // 4].mean() > 130


def test_an_outline_is_where_zones_meet() -> None:
    zones = np.full((64, 64), OUTSIDE, np.uint8)
    zones[16:48, 16:48] = 0
    picture = np.zeros((640, 640, 3), np.uint8)
    outline(picture, outlines(ZoneMap(zones)))
    drawn = picture[..., 0]
    rows, columns = np.nonzero(drawn[:, 200:440])
    assert set(np.round(rows / 160).astype(int)) == {1, 3}
    assert drawn.max() < 255
    assert len(columns)


def test_words_are_wrapped_and_none_is_lost() -> None:
    text = "Grad-CAM++ locates 61 % of the evidence in the patient's left lower and middle zones."
    lines = wrap(text, 20, 300)
    assert " ".join(lines) == text
    assert len(lines) > 1
    assert all(font(20).getlength(line) <= 300 for line in lines)
    assert wrap("incomprehensibilities", 20, 10) == ["incomprehensibilities"]
    assert wrap("", 20, 10) == [""]


@pytest.mark.parametrize("name", [*METHOD_NAMES.values(), *DISPLAY_NAMES.values()])
def test_the_font_has_every_letter_of_a_name(name: str) -> None:
    missing = bytes(font(20).getmask("\uffff"))
    assert all(bytes(font(20).getmask(letter)) != missing for letter in name)


def test_every_method_has_a_name_for_people() -> None:
    assert set(METHOD_NAMES) == set(METHODS)
    assert set(METHODS) >= SIGNED | TAUGHT
    assert not SIGNED & TAUGHT


LONG = Caption(
    headline="Pneumonia, probability under 0.01, " * 3,
    detail=f"Map: evidence for pneumonia, which is not the prediction, by Grad-CAM++ of {'w' * 64}",
    notes=(
        "Uncertain: at 90 % coverage none of the three classes can be ruled out.",
        "Grad-CAM++ locates 100 % of the evidence for pneumonia (not the prediction, probability under 0.01) in the "
        "image's lower and upper thirds on the patient's left and the image's middle third on the patient's right.",
        "Places are thirds of the image, because the lungs could not be outlined: "
        "the two lungs differ too much in size.",
        "Warning: this network alone favours pneumonia (over 0.99), unlike the ensemble.",
    ),
    probabilities=(("normal", 1.0, "over 0.99"), ("pneumonia", 0.0, "under 0.01"), ("COVID-19", 0.0, "under 0.01")),
    marked=1,
)


@pytest.mark.parametrize("caption", [CAPTION, LONG], ids=["plain", "long"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("columns", [2, 4, 5])
def test_nothing_leaves_the_canvas(shape: tuple[int, int], caption: Caption, columns: int) -> None:
    pixels, layer = np.full(shape, 255, np.uint8), Layer(hot(0, 0), "Grad-CAM++", caption.notes[-1])
    if columns == 2:
        picture = np.asarray(overlay(pixels, layer, THIRDS, caption))
    else:
        layers = (*[layer] * (columns - 2), Layer(hot(0, 0), "LRP", "", True))
        picture = np.asarray(panel(pixels, layers, THIRDS, caption))
    height, width, _ = picture.shape
    assert width <= {2: 1628, 4: 2108, 5: 2588}[columns]
    assert height <= 1600
    edge = 10
    assert edge < MARGIN
    inside = np.zeros((height, width), bool)
    inside[edge:-edge, edge:-edge] = True
    assert (picture[~inside] == BLACK).all()


def test_every_figure_of_the_caption_changes_the_picture() -> None:
    pixels = np.zeros((100, 100), np.uint8)
    pictures = {
        overlay(pixels, LAYER, THIRDS, caption).tobytes()
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


@pytest.mark.parametrize("shape", SHAPES)
def test_the_overlay_of_a_shrunk_radiograph_is_that_of_the_whole_one(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    shrunk = for_overlay(pixels)
    assert shrunk.size <= pixels.size
    assert overlay(shrunk, LAYER, THIRDS, CAPTION) == overlay(pixels, LAYER, THIRDS, CAPTION)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("signed", [False, True])
def test_a_small_heatmap_is_the_large_one_shrunk(shape: tuple[int, int], signed: bool) -> None:
    less = small(shape)
    assert max(less) <= SMALL
    heatmap = hot(2, 5) - (hot(5, 1) if signed else 0)
    few = decoded(heatmap_png(heatmap, less, signed)).astype(float)
    many = cv2.resize(decoded(heatmap_png(heatmap, shape, signed)), less[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(few - many).max() < 12 if max(shape) > SMALL else (few == many).all()
    assert np.abs(few - many).mean() < 1.5


@pytest.mark.parametrize("signed", [False, True])
def test_blending_is_a_mixture_of_grey_and_colour(signed: bool) -> None:
    strength = np.linspace(-1 if signed else 0, 1, 1000, dtype=np.float32)[np.newaxis]
    grey = np.random.default_rng(1).integers(0, 256, strength.shape, dtype=np.uint8)
    table = legend(signed)[np.rint(128 + 127 * strength if signed else 255 * strength).astype(int)].astype(float)
    alpha = OPACITY * table[..., 3:] / 255
    mixed = grey[..., np.newaxis] + alpha * (table[..., :3] - grey[..., np.newaxis])
    assert np.abs(blend(grey, strength, signed) - mixed).max() <= 3


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((300, 200), (300, 200)),
        ((512, 512), (512, 512)),
        ((1024, 512), (512, 256)),
        ((64, 40_000), (1, 512)),
        ((40_000, 64), (512, 1)),
        ((16, 40_000), (1, 512)),  # this side would be rounded to 0
    ],
)
def test_a_small_heatmap_keeps_the_ratio_and_a_pixel(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    assert small(shape) == expected
