"""Every line, bar, word and pixel of the pictures is where it was: they change only on purpose, with a new digest here.

A typeface of our own measures the words and nothing draws them, so that no version of FreeType matters.
"""

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from cxr.anatomy.outlines import outlines
from cxr.anatomy.plausibility import NoLungs
from cxr.anatomy.zones import zones_of
from cxr.model.bundle_files import sha256
from cxr.model.frames import Placement
from cxr.report.colour import legend
from cxr.report.drawing import draw_bar, draw_probability
from cxr.report.render import Caption, Layer, overlay, panel

CAPTION = Caption(
    headline="COVID-19, probability 0.93",
    detail="Map: evidence for COVID-19, by Grad-CAM++ of resnet18-0",
    notes=("No other class fits at 90 % coverage.", "Evidence lies in the patient's left lower zone. " * 4),
    probabilities=(("normal", 0.02, "0.02"), ("pneumonia", 0.05, "0.05"), ("COVID-19", 0.93, "0.93")),
    marked=2,
)
THIRDS = outlines(zones_of(NoLungs("none")))
RNG = np.random.default_rng(0)
COARSE = RNG.random((7, 7), np.float32)
FINE = RNG.random((64, 64), np.float32) - np.float32(0.4)
LAYERS = (
    Layer(COARSE, "Grad-CAM++", "61 % in the patient's left lower zone and in the patient's right lower zone"),
    Layer(FINE, "LRP", "", True, Placement(0.1, 0.2, 0.8, 0.9)),
    Layer(np.zeros((7, 7), np.float32), "Grad-CAM", "no evidence"),
)

DIGESTS = {
    "overlay": "aafc77c3fc58676f0e0484201ec4e7927da78e568c0918858741ac823658daa3",
    "overlay of a wide image": "005ba3b0072cb304846007a7583e52893fa03d9ec2e7fa5628f31810f0010da6",
    "overlay of a high image": "70084de0284aa73a2ff4fa36a8358ec5056c2533cacdc4ce3a885a0b97328c60",
    "panel": "b16c90137ed63ce6c601f9aec1dc8da51a4538ba402c3e3d370a66a609b967d5",
    "bar": "f5e61facec6d31f753585060c29f5954b97241083d40b0f2cc2df16b48728902",
    "bar with a sign": "2f1e79984374abb1dd7db16e28cf250d90f4cc94acbe22ce7ad2b3f3a4638d42",
    "probability": "c6cf4efe36b613e540f8c088bffaa7e579f3ebb7f3d50490d37555b14a980a7a",
}


class Typeface:
    """Every letter is half as wide as it is high."""

    def __init__(self, size: int) -> None:
        self.size = size

    def getlength(self, text: str) -> float:
        return 0.5 * self.size * len(text)


def radiograph(height: int, width: int) -> Any:
    return np.random.default_rng(1).integers(0, 256, (height, width), np.uint8)


def made(name: str) -> Image.Image:
    canvas = Image.new("RGB", (480, 200))
    match name:
        case "overlay":
            return overlay(radiograph(300, 200), LAYERS[0], THIRDS, CAPTION)
        case "overlay of a wide image":
            return overlay(radiograph(64, 900), LAYERS[1], THIRDS, CAPTION)
        case "overlay of a high image":
            return overlay(radiograph(1900, 64), LAYERS[2], THIRDS, CAPTION)
        case "panel":
            return panel(radiograph(700, 600), LAYERS, THIRDS, CAPTION)
        case "bar" | "bar with a sign":
            draw_bar(canvas, (10, 20), 101, signed=name != "bar")
        case "probability":
            draw_probability(ImageDraw.Draw(canvas), (10, 20), ("normal", 0.3, "0.30"), True)
            draw_probability(ImageDraw.Draw(canvas), (10, 60), ("normal", 0.7, "0.70"), False)
    return canvas


@pytest.mark.parametrize(
    ("signed", "digest"),
    [
        (False, "329b8ffe9b9d189c426061c49c59787d2ad6f22c884cb8b7663504a470128e8c"),
        (True, "f762b4e901679acd51bb27691702bfc96afde8e9dbddff0ff288f1e02ee974a8"),
    ],
)
def test_a_legend_is_as_it_was(signed: bool, digest: str) -> None:
    assert sha256(legend(signed).tobytes()) == digest


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is written: where, which words, in which colour and size, and where it is held."""
    found: list[Any] = []

    def text(_: Any, at: Any, words: str, fill: Any = None, font: Any = None, anchor: str = "la") -> None:
        found.append((at, words, fill, font.size, anchor))

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    for module in ("drawing", "render"):
        monkeypatch.setattr(f"cxr.report.{module}.font", Typeface)
    return found


@pytest.mark.parametrize("name", DIGESTS)
def test_a_picture_is_as_it_was(name: str, said: list[Any]) -> None:
    picture = made(name)
    assert sha256(f"{picture.size} {said}".encode() + picture.tobytes()) == DIGESTS[name]
