"""Turn a stored image upright: EXIF's eight orientations, for pixels and for points."""

import struct
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

UPRIGHT: Final = 1
MIRRORED: Final = 2

_TAG: Final = 0x0112
_PREFIX: Final = b"Exif\0\0"
_ENTRY_LENGTH: Final = 12
# struct formats of the TIFF types BYTE, SHORT, LONG, SBYTE, SSHORT and SLONG. A number shorter than its field of four
# bytes is at the start of the field in either byte order (TIFF 6.0, section 2).
_NUMBERS: Final = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"}


@dataclass(frozen=True, slots=True)
class _Turn:
    """From the stored to the upright image: transpose first, then flip left and right, then top and bottom."""

    transposed: bool = False
    mirrored: bool = False
    flipped: bool = False


_TURNS: Final = {
    1: _Turn(),
    2: _Turn(mirrored=True),
    3: _Turn(mirrored=True, flipped=True),
    4: _Turn(flipped=True),
    5: _Turn(transposed=True),
    6: _Turn(transposed=True, mirrored=True),
    7: _Turn(transposed=True, mirrored=True, flipped=True),
    8: _Turn(transposed=True, flipped=True),
}


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """[H, W] as stored → [H, W] or [W, H] upright, C-contiguous. `orientation`: EXIF's, 1 to 8."""
    turn = _TURNS[orientation]
    turned = pixels.T if turn.transposed else pixels
    return np.ascontiguousarray(turned[:: -1 if turn.flipped else 1, :: -1 if turn.mirrored else 1])


def stored_point(x: float, y: float, width: float, height: float, orientation: int) -> tuple[float, float]:
    """Convert a point (x, y) of an upright image of this width and height into the stored image's coordinates."""
    turn = _TURNS[orientation]
    x = width - x if turn.mirrored else x
    y = height - y if turn.flipped else y
    return (y, x) if turn.transposed else (x, y)


def exif_orientation(exif: bytes) -> int:
    """The orientation in an EXIF block's first directory (EXIF 2.3, 4.6.4), 1 to 8; 1 if absent or malformed."""
    tiff = exif.removeprefix(_PREFIX)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return UPRIGHT
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, start)
        for at in range(start + 2, start + 2 + entries * _ENTRY_LENGTH, _ENTRY_LENGTH):
            tag, kind = struct.unpack_from(f"{order}HH", tiff, at)
            if tag == _TAG:
                (value,) = struct.unpack_from(f"{order}{_NUMBERS.get(kind, 'H')}", tiff, at + 8)
                return value if value in _TURNS else UPRIGHT
    except struct.error:  # the block ends too early
        pass
    return UPRIGHT
