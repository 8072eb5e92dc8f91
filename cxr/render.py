"""The picture for people: radiograph and map side by side, what was found, how sure, and what it is not."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cxr.heatmap import Grey, Map, blend, colour_bar, field, png

# Pillow's own font, so that the picture needs no file: it has no dashes and no mathematical signs.
DISCLAIMER_LINE: Final = "Research use only. Not for diagnosis."
SIDES_LINE: Final = "By convention the patient's right is on the left of the image."

# Pixels. The widest picture is 2 x 700 + 20 + 2 x 32 + 112 = 1,596, the tallest 160 + 900 + 236 = 1,296.
PANEL_MAX: Final = (700, 900)
PANEL_MIN: Final = (440, 260)
MARGIN: Final = 32
GAP: Final = 20
BAR_GUTTER: Final = 112
HEADER: Final = 160
FOOTER: Final = 236

BLACK: Final = (12, 13, 16)
WHITE: Final = (240, 240, 242)
GREY: Final = (164, 166, 172)
TRACK: Final = (48, 50, 56)
ACCENT: Final = (245, 125, 21)  # from the middle of inferno


@dataclass(frozen=True, slots=True)
class Caption:
    """The words and figures of a picture.

    `probabilities` are (name, p, p in words) from top to bottom, `marked` the one that the map is for.
    """

    headline: str
    detail: str
    notes: tuple[str, ...]
    probabilities: tuple[tuple[str, float, str], ...]
    marked: int


@dataclass(frozen=True, slots=True)
class _Layout:
    """Sizes (width, height) in pixels: of the image inside a panel, and of the panel that centres it."""

    image: tuple[int, int]
    panel: tuple[int, int]

    @classmethod
    def of(cls, shape: tuple[int, int]) -> "_Layout":
        height, width = shape
        scale = min(PANEL_MAX[0] / width, PANEL_MAX[1] / height)
        image = (max(1, round(width * scale)), max(1, round(height * scale)))
        return cls(image, (max(image[0], PANEL_MIN[0]), max(image[1], PANEL_MIN[1])))

    @property
    def canvas(self) -> tuple[int, int]:
        width, height = self.panel
        return 2 * MARGIN + 2 * width + GAP + BAR_GUTTER, HEADER + height + FOOTER

    def origin(self, column: int) -> tuple[int, int]:
        """Left and top of the image in the panel of column 0 or 1."""
        left = MARGIN + column * (self.panel[0] + GAP)
        return left + (self.panel[0] - self.image[0]) // 2, HEADER + (self.panel[1] - self.image[1]) // 2


def overlay_png(pixels: Grey, heatmap: Map, caption: Caption) -> bytes:
    """Radiograph and map side by side, with colour bar, words and probabilities.

    Args:
        pixels: [H, W] uint8, the radiograph at full resolution.
        heatmap: [h, w] ≥ 0, in any unit, over the whole of the radiograph.
        caption: what to write.

    Returns:
        An RGB PNG of at most 1,596 x 1,296 pixels, whatever the radiograph's size.
    """
    layout = _Layout.of(pixels.shape)
    grey = _fit(pixels, layout.image)
    overlay = blend(grey, field(heatmap, grey.shape))
    canvas = Image.new("RGB", layout.canvas, BLACK)
    canvas.paste(Image.fromarray(grey), layout.origin(0))
    canvas.paste(Image.fromarray(overlay), layout.origin(1))
    _write_header(canvas, caption)
    _draw_bar(canvas, layout)
    _write_footer(canvas, layout, caption)
    return png(np.asarray(canvas))


def _fit(pixels: Grey, size: tuple[int, int]) -> Grey:
    """Resize to (width, height): averages when shrinking, smooth when enlarging."""
    shrinks = size[0] < pixels.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cv2.resize(pixels, size, interpolation=interpolation).astype(np.uint8, copy=False)


def _write_header(canvas: Image.Image, caption: Caption) -> None:
    draw = ImageDraw.Draw(canvas)
    width = canvas.width - 2 * MARGIN
    _line(draw, (MARGIN, 26), caption.headline, 40, WHITE, width)
    _line(draw, (MARGIN, 84), caption.detail, 22, ACCENT, width)
    draw.line((MARGIN, 126, canvas.width - MARGIN, 126), fill=TRACK, width=1)


def _draw_bar(canvas: Image.Image, layout: _Layout) -> None:
    draw = ImageDraw.Draw(canvas)
    left = MARGIN + 2 * layout.panel[0] + 2 * GAP
    height = min(layout.panel[1], 420)
    top = HEADER + (layout.panel[1] - height) // 2
    canvas.paste(Image.fromarray(colour_bar(height, 18)), (left, top))
    for value, label in ((1.0, "max"), (0.5, "half"), (0.0, "0")):
        y = top + round((1 - value) * (height - 1))
        draw.line((left + 18, y, left + 24, y), fill=GREY, width=1)
        draw.text((left + 30, y), label, fill=GREY, font=_font(17), anchor="lm")
    title = Image.new("RGB", (height, 24), BLACK)
    ImageDraw.Draw(title).text((height // 2, 12), "relative evidence", fill=GREY, font=_font(17), anchor="mm")
    canvas.paste(title.rotate(90, expand=True), (left + 72, top))


def _write_footer(canvas: Image.Image, layout: _Layout, caption: Caption) -> None:
    draw = ImageDraw.Draw(canvas)
    top = HEADER + layout.panel[1] + 14
    for column, text in enumerate(("Radiograph", "Radiograph and map")):
        centre = MARGIN + column * (layout.panel[0] + GAP) + layout.panel[0] // 2
        draw.text((centre, top), text, fill=GREY, font=_font(17), anchor="ma")
    top += 40
    for row, probability in enumerate(caption.probabilities):
        _probability(draw, (MARGIN, top + row * 34), probability, marked=row == caption.marked)
    left = MARGIN + layout.panel[0] + GAP
    for row, note in enumerate(caption.notes):
        _line(draw, (left, top + row * 34), note, 20, WHITE, canvas.width - MARGIN - left)
    bottom = canvas.height - 40
    _line(draw, (MARGIN, bottom), DISCLAIMER_LINE, 22, WHITE, layout.panel[0])
    _line(draw, (left, bottom + 4), SIDES_LINE, 16, GREY, canvas.width - MARGIN - left)


def _probability(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], probability: tuple[str, float, str], marked: bool
) -> None:
    (x, y), (name, p, figure) = at, probability
    words = WHITE if marked else GREY
    left, right = x + 130, x + 310
    draw.text((x, y), name, fill=words, font=_font(20))
    draw.rectangle((left, y + 6, right, y + 18), fill=TRACK)
    draw.rectangle((left, y + 6, left + round(p * (right - left)), y + 18), fill=ACCENT if marked else GREY)
    draw.text((right + 16, y), figure, fill=words, font=_font(20))


def _line(
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    text: str,
    size: int,
    colour: tuple[int, int, int],
    width: int,
) -> None:
    """Write one line; shrink it until it fits, so that no word is lost."""
    while size > 10 and _font(size).getlength(text) > width:
        size -= 1
    draw.text(at, text, fill=colour, font=_font(size))


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("Pillow was built without FreeType")
    return font
