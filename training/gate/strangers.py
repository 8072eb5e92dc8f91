"""Images that a hospital could send by mistake, made from radiographs, to train and to measure the gate.

Each kind turns a radiograph into an image that is not an upright frontal chest: rotated, upside down, negative,
cropped, several in one, a screenshot, or mostly noise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from cxr.arrays import Grey, Mask

LUNGS_LEFT: Final = 0.45
"""Largest share of the lungs in a cropped image."""
TRIES: Final = 30


@dataclass(frozen=True, slots=True)
class Sitter:
    """A radiograph [H, W], its lung mask [S, S] (all false if no lungs were found), and a second radiograph."""

    pixels: Grey
    lungs: Mask
    other: Grey


Kind = Callable[[Sitter, np.random.Generator], Grey]


def turned(of: Sitter, rng: np.random.Generator) -> Grey:
    """Rotate by 90 degrees, left or right."""
    return np.rot90(of.pixels, rng.choice((1, 3)))


def upside_down(of: Sitter, rng: np.random.Generator) -> Grey:
    """Rotate by 180 degrees, or flip top and bottom."""
    return of.pixels[::-1, :: rng.choice((1, -1))]


def negative(of: Sitter, _rng: np.random.Generator) -> Grey:
    """Invert: air becomes white."""
    return 255 - of.pixels


def cropped(of: Sitter, rng: np.random.Generator) -> Grey:
    """Crop to a rectangle with less than half of the lungs; to a corner if no lungs are known."""
    height, width = of.pixels.shape
    side = len(of.lungs)
    for _ in range(TRIES):
        high, wide = rng.uniform(0.2, 0.8, 2)
        top, left = rng.uniform(0, 1 - high), rng.uniform(0, 1 - wide)
        seen = of.lungs[int(top * side) : int((top + high) * side), int(left * side) : int((left + wide) * side)]
        if of.lungs.any() and seen.sum() <= LUNGS_LEFT * of.lungs.sum():
            return of.pixels[
                int(top * height) : int((top + high) * height), int(left * width) : int((left + wide) * width)
            ]
    corner = of.pixels[:: rng.choice((1, -1)), :: rng.choice((1, -1))][: height // 2, : width // 2]
    return corner if rng.random() < 0.5 else of.pixels[: height // 2, : width // 2]


def collaged(of: Sitter, rng: np.random.Generator) -> Grey:
    """Two or four radiographs in one image, edge to edge or with a gap."""
    side, gap, ground = 192, int(rng.integers(0, 12)), int(rng.choice((0, 255)))
    columns, rows = [(2, 1), (1, 2), (2, 2)][rng.integers(3)]
    tiles = [_fit(picture, side, side) for picture in (of.pixels, of.other, of.other[:, ::-1], of.pixels[:, ::-1])]
    padded = [cv2.copyMakeBorder(tile, gap, gap, gap, gap, cv2.BORDER_CONSTANT, value=ground) for tile in tiles]
    return np.vstack([np.hstack(padded[row * columns : (row + 1) * columns]) for row in range(rows)])


def screenshot(of: Sitter, rng: np.random.Generator) -> Grey:
    """Put it into a viewer's window: bars, a panel with lines of text, buttons."""
    height, width = int(rng.integers(300, 420)), int(rng.integers(420, 640))
    ground, ink = (int(rng.integers(0, 60)), 220) if rng.random() < 0.5 else (int(rng.integers(190, 256)), 30)
    window = np.full((height, width), ground, np.uint8)
    bar, panel = int(height * rng.uniform(0.06, 0.16)), int(width * rng.uniform(0.1, 0.35))
    window[:bar] = np.clip(ground + rng.integers(-60, 60), 0, 255)
    for x in range(6, width - 20, int(rng.integers(16, 40))):
        cv2.rectangle(window, (x, bar // 4), (x + 10, 3 * bar // 4), ink, int(rng.choice((-1, 1))))
    left = bool(rng.random() < 0.5)
    start = 4 if left else width - panel + 4
    for y in range(bar + 14, height - 6, int(rng.integers(11, 24))):
        words = "".join(rng.choice(list("abcdefghiklmnoprstu 0123456789:"), int(rng.integers(4, 16))))
        cv2.putText(window, words, (start, y), cv2.FONT_HERSHEY_PLAIN, 0.7, ink, 1)
    room = (
        window[bar + 4 : height - int(rng.integers(4, 24)), panel:] if left else window[bar + 4 : height - 4, :-panel]
    )
    aspect = of.pixels.shape[1] / of.pixels.shape[0]
    high = min(room.shape[0], int(room.shape[1] / aspect))
    fitted = _fit(of.pixels, high, max(1, min(room.shape[1], int(high * aspect))))
    x = int(rng.integers(0, room.shape[1] - fitted.shape[1] + 1))
    room[: fitted.shape[0], x : x + fitted.shape[1]] = fitted
    return window


def noisy(of: Sitter, rng: np.random.Generator) -> Grey:
    """More noise than radiograph: white noise or lost pixels; sometimes only noise."""
    share = rng.uniform(0.75, 1.0)
    noise = rng.integers(0, 256, of.pixels.shape).astype(np.uint8)
    if rng.random() < 0.5:
        return np.where(rng.random(of.pixels.shape) < share, noise, of.pixels).astype(np.uint8)
    return (share * noise + (1 - share) * of.pixels).astype(np.uint8)


KINDS: Final[dict[str, Kind]] = {
    "turned": turned,
    "upside_down": upside_down,
    "negative": negative,
    "cropped": cropped,
    "collaged": collaged,
    "screenshot": screenshot,
    "noisy": noisy,
}


def _fit(pixels: Grey, height: int, width: int) -> Grey:
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
