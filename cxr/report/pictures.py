"""Which pictures an explanation has, and how they are encoded."""

from dataclasses import dataclass
from io import BytesIO
from typing import Final, Literal, get_args

import numpy as np
from PIL import Image

from cxr.report.heatmap import png

Pictures = Literal["none", "overlay", "heatmap", "both"]
PICTURES: Final[tuple[Pictures, ...]] = get_args(Pictures)
"""The possible pictures: the overlay for people, the heatmap for software."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """What to draw. `full_size`: the heatmap has the radiograph's size, and not that of `cxr.report.heatmap.small`."""

    overlay: bool = True
    heatmap: bool = True
    full_size: bool = True

    @classmethod
    def named(cls, name: Pictures) -> "Drawing":
        """The drawing for a name. A heatmap that is requested by name is small, which takes a twentieth of the time."""
        return cls(name in ("overlay", "both"), name in ("heatmap", "both"), full_size=False)


EVERYTHING: Final = Drawing()

Encoding = Literal["png", "jpeg", "webp"]
ENCODINGS: Final[tuple[Encoding, ...]] = get_args(Encoding)
"""Encodings of an overlay. With 1.9 megapixels: PNG 90 ms and 980 kB, JPEG 8 ms and 240 kB, WebP 50 ms and 110 kB."""

_OPTIONS: Final[dict[Encoding, dict[str, int]]] = {
    "jpeg": {"quality": 90},
    "webp": {"quality": 85, "method": 0},  # the other methods take two to three times as long and save a sixth
}


def encode(picture: Image.Image, encoding: Encoding = "png") -> bytes:
    """Encode an RGB picture. PNG is lossless."""
    if encoding == "png":
        return png(np.asarray(picture))
    file = BytesIO()
    picture.save(file, encoding, **_OPTIONS[encoding])
    return file.getvalue()
