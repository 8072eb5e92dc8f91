"""The pictures for people: radiograph and maps side by side, with finding, certainty, zones and disclaimer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw

from cxr.anatomy.outlines import Outline
from cxr.arrays import Grey, Map
from cxr.model.frames import WHOLE, Placement
from cxr.report.colour import blend
from cxr.report.drawing import (
    ACCENT,
    BAR_WIDTH,
    BLACK,
    DISCLAIMER_LINE,
    GAP,
    GREY,
    LINE,
    MARGIN,
    SIDES_LINE,
    TRACK,
    WHITE,
    draw_bar,
    draw_probability,
    fit,
    font,
    outline,
    wrap,
    write,
    write_lines,
)
from cxr.report.heatmap import field

HEADER: Final = 148  # pixels
ROW: Final = 32  # height of a probability's row, in pixels
NOTE: Final = 20  # font size
PROBABILITIES: Final = 440  # width of the probabilities' column
# Smallest and largest size of a panel, (width, height) in pixels: with one map, and with several.
PAIR: Final = ((440, 260), (700, 900))
ROW_OF_PANELS: Final = ((340, 260), (460, 600))


@dataclass(frozen=True, slots=True)
class Caption:
    """The words and figures of a picture.

    `notes` are sentences. `probabilities` are (name, p, p as text) from top to bottom; `marked` is the one that the
    maps are for.
    """

    headline: str
    detail: str
    notes: tuple[str, ...]
    probabilities: tuple[tuple[str, float, str], ...]
    marked: int


@dataclass(frozen=True, slots=True)
class Layer:
    """A map [h, w] over a frame at `place`, in any unit; its title; and a line that names the zones of its evidence."""

    heatmap: Map
    title: str
    places: str = ""
    signed: bool = False
    place: Placement = WHOLE


@dataclass(frozen=True, slots=True)
class _Layout:
    """Sizes (width, height) in pixels of the image inside a panel, and of the panel, which centres it."""

    image: tuple[int, int]
    panel: tuple[int, int]
    columns: int

    @classmethod
    def of(cls, shape: tuple[int, int], columns: int) -> "_Layout":
        height, width = shape
        least, most = PAIR if columns == 2 else ROW_OF_PANELS
        scale = min(most[0] / width, most[1] / height)
        image = (max(1, round(width * scale)), max(1, round(height * scale)))
        return cls(image, (max(image[0], least[0]), max(image[1], least[1])), columns)

    def left(self, column: int) -> int:
        """The left edge of a column's panel. For the column after the last it is the left edge of the colour bars."""
        return MARGIN + column * (self.panel[0] + GAP)

    def origin(self, column: int) -> tuple[int, int]:
        """Left and top of the image in a column's panel."""
        return (
            self.left(column) + (self.panel[0] - self.image[0]) // 2,
            HEADER + (self.panel[1] - self.image[1]) // 2,
        )


def for_overlay(pixels: Grey) -> Grey:
    """A radiograph [H, W] reduced to what `overlay` needs: unchanged, or shrunk such that the picture is the same."""
    size = _Layout.of((pixels.shape[0], pixels.shape[1]), columns=2).image
    return fit(pixels, size) if size[0] < pixels.shape[1] else pixels


def overlay(pixels: Grey, layer: Layer, lines: Sequence[Outline], caption: Caption) -> Image.Image:
    """Radiograph and map side by side, with zones, colour bar, words and probabilities.

    Args:
        pixels: [H, W] uint8, the radiograph at full resolution, or the result of `for_overlay`.
        layer: the map.
        lines: the zones to outline on it.
        caption: what to write.

    Returns:
        An RGB picture, at most 1,628 pixels wide.
    """
    return _picture(pixels, (layer,), lines, caption, columns=2)


def panel(pixels: Grey, layers: tuple[Layer, ...], lines: Sequence[Outline], caption: Caption) -> Image.Image:
    """Radiograph and its maps side by side, as in figures 1 to 4 of Karim et al. 2020.

    Arguments are those of `overlay`, with one layer for each map. With three maps it is at most 2,108 pixels wide; each
    further map adds 480.
    """
    return _picture(pixels, layers, lines, caption, columns=1 + len(layers))


def _picture(
    pixels: Grey, layers: tuple[Layer, ...], lines: Sequence[Outline], caption: Caption, columns: int
) -> Image.Image:
    layout = _Layout.of((pixels.shape[0], pixels.shape[1]), columns)
    grey = fit(pixels, layout.image)
    width = layout.left(columns) + BAR_WIDTH + MARGIN
    notes = [wrap(note, NOTE, width - MARGIN - _notes_left(layout)) for note in caption.notes]
    canvas = Image.new("RGB", (width, _height(layout, layers, caption, notes)), BLACK)
    _write_header(canvas, caption)
    canvas.paste(Image.fromarray(grey), layout.origin(0))
    _write_titles(canvas, layout, 0, "Radiograph", "")
    for column, layer in enumerate(layers, 1):
        painted = blend(grey, field(layer.heatmap, (grey.shape[0], grey.shape[1]), layer.place), layer.signed)
        outline(painted, lines)
        canvas.paste(Image.fromarray(painted), layout.origin(column))
        _write_titles(canvas, layout, column, layer.title, layer.places)
    _draw_bars(canvas, layout, layers)
    _write_footer(canvas, layout, layers, caption, notes)
    return canvas


def _notes_left(layout: _Layout) -> int:
    return max(layout.left(1), MARGIN + PROBABILITIES)


def _footer_top(layout: _Layout, layers: tuple[Layer, ...]) -> int:
    places = max(len(_places(layout, layer)) for layer in layers)
    return HEADER + layout.panel[1] + 52 + round(places * LINE * 16) + (8 if places else 0)


def _height(layout: _Layout, layers: tuple[Layer, ...], caption: Caption, notes: list[list[str]]) -> int:
    words = sum(round(LINE * NOTE) * len(note) + 8 for note in notes)
    return _footer_top(layout, layers) + max(words, ROW * len(caption.probabilities)) + 76


def _write_header(canvas: Image.Image, caption: Caption) -> None:
    draw = ImageDraw.Draw(canvas)
    width = canvas.width - 2 * MARGIN
    write(draw, (MARGIN, 24), caption.headline, 38, WHITE, width)
    write(draw, (MARGIN, 78), caption.detail, 21, ACCENT, width)
    draw.line((MARGIN, 120, canvas.width - MARGIN, 120), fill=TRACK, width=1)


def _places(layout: _Layout, layer: Layer) -> list[str]:
    return wrap(layer.places, 16, layout.panel[0]) if layer.places else []


def _write_titles(canvas: Image.Image, layout: _Layout, column: int, title: str, places: str) -> None:
    draw = ImageDraw.Draw(canvas)
    left, top = layout.left(column), HEADER + layout.panel[1] + 12
    draw.text((left + layout.panel[0] // 2, top), title, fill=WHITE, font=font(18), anchor="ma")
    for row, line in enumerate(wrap(places, 16, layout.panel[0]) if places else []):
        y = top + 30 + round(row * LINE * 16)
        draw.text((left + layout.panel[0] // 2, y), line, fill=GREY, font=font(16), anchor="ma")


def _draw_bars(canvas: Image.Image, layout: _Layout, layers: tuple[Layer, ...]) -> None:
    """Draw one colour bar for each kind of map in the picture."""
    kinds = sorted({layer.signed for layer in layers})
    height = min((layout.panel[1] - GAP * (len(kinds) - 1)) // len(kinds), 420)
    top = HEADER + (layout.panel[1] - height * len(kinds) - GAP * (len(kinds) - 1)) // 2
    for row, signed in enumerate(kinds):
        draw_bar(canvas, (layout.left(layout.columns), top + row * (height + GAP)), height, signed)


def _write_footer(
    canvas: Image.Image, layout: _Layout, layers: tuple[Layer, ...], caption: Caption, notes: list[list[str]]
) -> None:
    draw = ImageDraw.Draw(canvas)
    top, left = _footer_top(layout, layers), _notes_left(layout)
    for row, probability in enumerate(caption.probabilities):
        draw_probability(draw, (MARGIN, top + row * ROW), probability, marked=row == caption.marked)
    y = top
    for note in notes:
        y = write_lines(draw, (left, y), note, NOTE, WHITE, canvas.width - MARGIN - left) + 8
    bottom = canvas.height - 44
    write(draw, (MARGIN, bottom), DISCLAIMER_LINE, 21, WHITE, PROBABILITIES - 20)
    write(draw, (left, bottom + 4), SIDES_LINE, 16, GREY, canvas.width - MARGIN - left)
