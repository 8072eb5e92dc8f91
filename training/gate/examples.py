"""The gate's training images, prepared as its input: radiographs, varied radiographs, and images to reject."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cxr.arrays import Grey, Images, Ints, Mask
from cxr.decode import decode
from cxr.limits import MIN_SIDE
from cxr.model.preprocess import preprocess
from networks.gate import SIZE
from training.data import Row
from training.gate.pictures import crop, drawing, pictures
from training.gate.slices import slice_of_a_body
from training.gate.strangers import KINDS, Sitter

RECIPE: Final = "plain-1"
KNOWN: Final = "known"
"""An unchanged radiograph. `VARIED` is a radiograph changed as between hospitals; the gate must accept it too."""
VARIED: Final = "varied"
PICTURE: Final = "picture"
DRAWING: Final = "drawing"
SLICE: Final = "slice"
KINDS_EACH: Final = 3
"""Number of kinds of images to reject that are made from each radiograph. The kinds alternate."""
CROPS: Final = 40  # per picture
DRAWINGS: Final = 3000  # and the same number of slices


@dataclass(frozen=True, slots=True)
class Examples:
    """images: [E, S, S] uint8; kinds: [E] names; origins: [E] index of the row or picture that each was made from."""

    images: Images
    kinds: NDArray[np.str_]
    origins: Ints

    def where(self, keep: Mask) -> "Examples":
        """The examples for which `keep` is true."""
        return Examples(self.images[keep], self.kinds[keep], self.origins[keep])

    def and_also(self, others: "Examples") -> "Examples":
        """These examples followed by others."""
        return Examples(
            np.concatenate([self.images, others.images]),
            np.concatenate([self.kinds, others.kinds]),
            np.concatenate([self.origins, others.origins]),
        )


def of_radiographs(
    folder: Path, rows: Sequence[Row], lungs: Mapping[str, Mask], seed: int
) -> Iterator[tuple[str, int, Grey]]:
    """Kind, row index and image of each example. A collage's second radiograph is that of the previous row."""
    names = list(KINDS)
    before = decode((folder / rows[-1].file).read_bytes()).pixels
    for index, row in enumerate(rows):
        rng = np.random.default_rng((seed, index))
        sitter = Sitter(decode((folder / row.file).read_bytes()).pixels, lungs[row.file], before)
        before = sitter.pixels
        yield KNOWN, index, seen(sitter.pixels)
        yield VARIED, index, seen(framed(exposed(moved(sitter.pixels, rng), rng), rng))
        for place in range(KINDS_EACH):
            kind = names[(KINDS_EACH * index + place) % len(names)]
            yield kind, index, seen(exposed(np.ascontiguousarray(KINDS[kind](sitter, rng)), rng))


def of_pictures(seed: int, first: int) -> Iterator[tuple[str, int, Grey]]:
    """Kind, origin and image of each example. Origins count from `first`; each picture, drawing and slice has one."""
    shown: Mapping[str, Grey] = pictures()
    for index, picture in enumerate(shown.values()):
        rng = np.random.default_rng((seed, index))
        for _ in range(CROPS):
            yield PICTURE, first + index, seen(exposed(np.ascontiguousarray(crop(picture, rng)), rng))
    for index in range(DRAWINGS):
        rng = np.random.default_rng((seed, len(shown), index))
        yield DRAWING, first + len(shown) + index, seen(exposed(drawing(rng), rng))
        yield SLICE, first + len(shown) + DRAWINGS + index, seen(exposed(slice_of_a_body(rng), rng))


def collect(examples: Iterable[tuple[str, int, Grey]]) -> Examples:
    """Collect examples into arrays."""
    kinds, origins, images = zip(*examples, strict=True)
    return Examples(np.stack(images), np.array(kinds), np.array(origins, np.int64))


def seen(pixels: Grey) -> Grey:
    """Prepare an image as the gate's input. An image with a short side under `MIN_SIDE` is enlarged first."""
    scale = MIN_SIDE / min(pixels.shape)
    if scale > 1:
        height, width = (math.ceil(side * scale) for side in pixels.shape)
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
    return preprocess(pixels, RECIPE, SIZE)


def moved(pixels: Grey, rng: np.random.Generator) -> Grey:
    """Rotate by up to 12 degrees, shift by up to 7 %, scale by up to 15 %; mirror one in ten (dextrocardia)."""
    height, width = pixels.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-12, 12), rng.uniform(0.85, 1.15))
    turn[:, 2] = turn[:, 2] + rng.uniform(-0.07, 0.07, 2) * (width, height)
    border = cv2.BORDER_CONSTANT if rng.random() < 0.7 else cv2.BORDER_REPLICATE
    found = cv2.warpAffine(pixels, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=border)
    return np.ascontiguousarray(found[:, ::-1] if rng.random() < 0.1 else found, np.uint8)


def exposed(pixels: Grey, rng: np.random.Generator) -> Grey:
    """Change exposure, sharpness, noise and enhancement, as they differ between hospitals."""
    grey = 255 * (pixels / np.float32(255)) ** np.exp(rng.normal(0, 0.3))
    grey = (grey - 128) * rng.uniform(0.6, 1.35) + 128 + rng.uniform(-30, 30)
    if rng.random() < 0.3:
        grey = grey + rng.normal(0, rng.uniform(2, 12), grey.shape)
    found = np.clip(grey, 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        found = cv2.GaussianBlur(found, (0, 0), rng.uniform(0.5, 2.5)).astype(np.uint8, copy=False)
    if rng.random() < 0.15:
        found = cv2.createCLAHE(rng.uniform(1, 4), (8, 8)).apply(found).astype(np.uint8, copy=False)
    return np.asarray(cv2.equalizeHist(found) if rng.random() < 0.1 else found, np.uint8)


def framed(pixels: Grey, rng: np.random.Generator) -> Grey:
    """Add what films and archives add: a dark or light border of up to 15 % on some sides, a marker, a line of text."""
    height, width = pixels.shape
    shade = int(rng.choice((0, 0, 0, 255)))
    if rng.random() < 0.35:
        ends = [int(rng.uniform(0, 0.15) * side * (rng.random() < 0.6)) for side in (height, height, width, width)]
        pixels = np.pad(pixels, (ends[:2], ends[2:]), constant_values=shade)
    if rng.random() < 0.3:
        place = (int(rng.integers(0, width)), int(rng.integers(10, height)))
        letter = str(rng.choice(["L", "R", "PORT AP", "12345", "SUPINE"]))
        pixels = cv2.putText(
            pixels.copy(), letter, place, cv2.FONT_HERSHEY_SIMPLEX, rng.uniform(0.4, 1.2), 255, 2
        ).astype(np.uint8)
    return pixels
