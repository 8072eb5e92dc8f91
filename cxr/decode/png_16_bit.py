"""PNG of 16 bits → 8-bit grey: in grey, grey with alpha, colour, and colour with alpha.

Most of these files hold the 10 to 14 bits of a detector, so they are windowed by their percentiles.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile

from cxr.decode.dicom.greyscale import Greyscale, Shown, to_grey, to_windowed
from cxr.decode.dicom.stored_bits import StoredBits
from cxr.decode.guards import untrusted
from cxr.decode.preview import Windowed

_ROWS_AT_ONCE: Final = 256  # in strips, so that wide sums are never held for a whole image


class _Pass(NamedTuple):
    """One decoding pass: Pillow's raw mode, and what each byte adds to grey x 65,536 and to alpha."""

    raw_mode: str
    grey: tuple[int, ...]
    alpha: tuple[int, ...] = ()


# Weights of red, green and blue out of 65,536, those of Pillow for 8-bit colours (ITU-R 601-2).
_LOWER: Final = (19_595, 38_470, 7_471)
_UPPER: Final = tuple(weight << 8 for weight in _LOWER)
# Pillow reduces 16-bit colours to 8 bits. Its decoder gives the upper bytes, or with another raw mode the lower ones.
# Two samples of two bytes, grey and alpha, can be read as four of one byte.
_PASSES: Final = {
    "RGB;16B": (_Pass("RGB;16B", _UPPER), _Pass("RGB;16L", _LOWER)),
    "RGBA;16B": (_Pass("RGBA;16B", _UPPER, (0, 0, 0, 1 << 8)), _Pass("RGBA;16L", _LOWER, (0, 0, 0, 1))),
    "LA;16B": (_Pass("RGBA", (1 << 24, 1 << 16), (0, 0, 1 << 8, 1)),),
}


def windowed(grey: NDArray[np.uint16], shown: Shown | None = None) -> NDArray[np.uint8]:
    """[H, W] of 16 bits → [H, W] of 8: 0.5 % of the shown pixels become black, 0.5 % white. Raises UniformImage."""
    return to_grey(grey, Greyscale(StoredBits(16, 16)), shown).pixels


def unwindowed(grey: NDArray[np.uint16]) -> Windowed:
    """The same image before the window. Raises UniformImage."""
    return to_windowed(grey, Greyscale(StoredBits(16, 16)))


def is_deep_colour(image: ImageFile) -> bool:
    """Whether an image that is not loaded yet is a 16-bit PNG with colour or alpha."""
    return len(image.tile) == 1 and image.tile[0].args in _PASSES


def deep_colour(reopen: Callable[[], ImageFile]) -> NDArray[np.uint8]:
    """Decode such an image, reopened for each pass. Transparent pixels are black and do not count for the percentiles.

    Raises UniformImage, NotDecodable.
    """
    image = reopen()
    sums, alpha = np.zeros(image.size[::-1], np.uint32), np.zeros(image.size[::-1], np.uint16)
    passes = _PASSES[str(image.tile[0].args)]
    for one in passes:
        loaded = _load(reopen(), one.raw_mode)
        _add(loaded, one.grey, sums)
        _add(loaded, one.alpha, alpha)
    grey = ((sums + 0x8000) >> 16).astype(np.uint16)
    if not passes[0].alpha:
        return windowed(grey)
    pixels = windowed(grey, shown=alpha > 0)
    return np.rint(pixels * (alpha / np.float32(0xFFFF))).astype(np.uint8)


@untrusted
def _load(image: ImageFile, raw_mode: str) -> Image.Image:
    image.tile = [image.tile[0]._replace(args=raw_mode)]
    image.load()
    return image


def _add(image: Image.Image, weights: tuple[int, ...], sums: NDArray[np.uint32] | NDArray[np.uint16]) -> None:
    """Add each pixel's bytes, weighted, to `sums` [H, W]."""
    width, height = image.size
    for top in range(0, height, _ROWS_AT_ONCE):
        rows = slice(top, min(top + _ROWS_AT_ONCE, height))
        strip = np.asarray(image.crop((0, rows.start, width, rows.stop)))
        for channel, weight in enumerate(weights):
            if weight:
                sums[rows] += strip[..., channel] * sums.dtype.type(weight)
