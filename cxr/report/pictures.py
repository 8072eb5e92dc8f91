"""Which pictures an explanation has, and how one becomes a file."""

from dataclasses import dataclass
from io import BytesIO
from typing import Final, Literal, get_args

import numpy as np
from PIL import Image

from cxr.report.heatmap import png

Pictures = Literal["none", "overlay", "heatmap", "both"]
PICTURES: Final[tuple[Pictures, ...]] = get_args(Pictures)
"""What may be drawn: the overlay for people, the heatmap for machines."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is to be drawn. `full_size`: the heatmap has the radiograph's own size, else `cxr.report.heatmap.small`."""

    overlay: bool = True
    heatmap: bool = True
    full_size: bool = True

    @classmethod
    def named(cls, name: Pictures) -> "Drawing":
        """What a name stands for. A heatmap that is asked for by name is small: it takes a twentieth of the time."""
        return cls(name in ("overlay", "both"), name in ("heatmap", "both"), full_size=False)


EVERYTHING: Final = Drawing()

Encoding = Literal["png", "jpeg", "webp"]
ENCODINGS: Final[tuple[Encoding, ...]] = get_args(Encoding)
"""Of an overlay. A PNG of 1.9 megapixels takes 90 ms and 980 kB, a JPEG 8 ms and 240 kB, a WebP 50 ms and 110 kB."""

_OPTIONS: Final[dict[Encoding, dict[str, int]]] = {
    "jpeg": {"quality": 90},
    "webp": {"quality": 85, "method": 0},  # the other methods take two and three times as long for a sixth less
}


def encode(picture: Image.Image, encoding: Encoding = "png") -> bytes:
    """An RGB picture as a file; PNG is without loss."""
    if encoding == "png":
        return png(np.asarray(picture))
    file = BytesIO()
    picture.save(file, encoding, **_OPTIONS[encoding])
    return file.getvalue()
