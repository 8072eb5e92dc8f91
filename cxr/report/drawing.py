"""Drawing tools for the pictures: one palette, one font, text that always fits."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cxr.anatomy.outlines import Outline
from cxr.arrays import Colour, Grey
from cxr.report.colour import colour_bar

# These texts use Pillow's own font, which needs no file: it has no dashes and no mathematical signs.
DISCLAIMER_LINE: Final = "Research use only. Not for diagnosis."
SIDES_LINE: Final = "By convention the patient's right is on the left of the image."

MARGIN: Final = 32  # pixels
GAP: Final = 20
LINE: Final = 1.35  # distance between lines, as a multiple of the font size

BLACK: Final = (12, 13, 16)
WHITE: Final = (240, 240, 242)
GREY: Final = (164, 166, 172)
TRACK: Final = (48, 50, 56)
ACCENT: Final = (245, 125, 21)  # a colour from the middle of inferno
OUTLINE: Final = 0.55  # opacity of the zones' outlines
FRACTION: Final = 4  # fractional bits of the coordinates they are drawn with

RGB = tuple[int, int, int]
Point = tuple[int, int]


def fit(pixels: Grey, size: tuple[int, int]) -> Grey:
    """Resize to (width, height): averages when shrinking, smooth when enlarging."""
    if size == pixels.shape[::-1]:
        return pixels
    shrinks = size[0] < pixels.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cv2.resize(pixels, size, interpolation=interpolation).astype(np.uint8, copy=False)


def outline(picture: Colour, lines: Sequence[Outline]) -> None:
    """Draw the borders of zones into RGB [H, W, 3]."""
    height, width = picture.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    for line in lines:
        corners = np.asarray(line.points) * (width, height) - 0.5  # pixel centres are at halves
        points = np.rint(corners * (1 << FRACTION)).astype(np.int32)
        cv2.polylines(mask, [points], True, 255, 1, cv2.LINE_AA, FRACTION)
    where = np.nonzero(mask)
    alpha = (OUTLINE / 255 * mask[where].astype(np.float32))[:, np.newaxis]
    under = picture[where].astype(np.float32)
    picture[where] = np.rint(under + alpha * (255 - under)).astype(np.uint8)


def write(draw: ImageDraw.ImageDraw, at: Point, text: str, size: int, colour: RGB, width: int) -> None:
    """Write one line. The font shrinks until the line fits, so that no word is cut off."""
    while size > 10 and font(size).getlength(text) > width:
        size -= 1
    draw.text(at, text, fill=colour, font=font(size))


def wrap(text: str, size: int, width: int) -> list[str]:
    """Wrap a paragraph into lines of at most `width` pixels. A longer word gets its own line."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font(size).getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def write_lines(draw: ImageDraw.ImageDraw, at: Point, lines: list[str], size: int, colour: RGB, width: int) -> int:
    """Write lines one below the other. Returns the top of the next line."""
    x, y = at
    for line in lines:
        write(draw, (x, y), line, size, colour, width)
        y += round(LINE * size)
    return y


def draw_bar(canvas: Image.Image, at: Point, height: int, signed: bool) -> None:
    """A colour bar of `BAR_WIDTH` pixels with its scale and title."""
    left, top = at
    draw = ImageDraw.Draw(canvas)
    canvas.paste(Image.fromarray(colour_bar(height, 18, signed)), at)
    scale = ((1.0, "for"), (0.5, "0"), (0.0, "against")) if signed else ((1.0, "max"), (0.5, "half"), (0.0, "0"))
    for value, label in scale:
        y = top + round((1 - value) * (height - 1))
        draw.line((left + 18, y, left + 24, y), fill=GREY, width=1)
        draw.text((left + 30, y), label, fill=GREY, font=font(17), anchor="lm")
    title = Image.new("RGB", (height, 24), BLACK)
    words = "relevance" if signed else "relative evidence"
    ImageDraw.Draw(title).text((height // 2, 12), words, fill=GREY, font=font(17), anchor="mm")
    canvas.paste(title.rotate(90, expand=True), (left + 92 if signed else left + 72, top))


BAR_WIDTH: Final = 124


def draw_probability(draw: ImageDraw.ImageDraw, at: Point, row: tuple[str, float, str], marked: bool) -> None:
    """A label, a bar, and the probability in words, 20 pixels high."""
    (x, y), (name, p, words) = at, row
    colour = WHITE if marked else GREY
    left, right = x + 130, x + 310
    draw.text((x, y), name, fill=colour, font=font(20))
    draw.rectangle((left, y + 6, right, y + 18), fill=TRACK)
    draw.rectangle((left, y + 6, left + round(p * (right - left)), y + 18), fill=ACCENT if marked else GREY)
    draw.text((right + 16, y), words, fill=colour, font=font(20))


@lru_cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own font."""
    loaded = ImageFont.load_default(size)
    if not isinstance(loaded, ImageFont.FreeTypeFont):
        raise RuntimeError("Pillow was built without FreeType")
    return loaded
