"""Read and check the header of a JPEG, JPEG-LS or JPEG 2000 codestream without decoding it.

A DICOM file describes its image twice, in its elements and in the codestream. Decoders trust the codestream, and some
write outside their buffer if it is wrong: GDCM's lossless JPEG crashes on a false precision and on an unknown colour
transform.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cxr.errors import NotDecodable

# Start of frame: C0 to CF except DHT, JPG and DAC; F7 is JPEG-LS.
_STARTS_OF_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
_START_OF_SCAN: Final = 0xDA
_ADOBE: Final = 0xEE
_ADOBE_BODY: Final = struct.Struct(">5s3HB")  # "Adobe", version, flags, flags, colour transform
_COLOUR_TRANSFORMS: Final = (0, 1)  # none and YCbCr; 2 is for four components
_SAMPLING: Final = frozenset(range(1, 5))
_MAX_SEGMENTS: Final = 1000
_J2K_START: Final = b"\xff\x4f\xff\x51"
_J2K_MOST_TILES: Final = 65_535
_JP2_SIGNATURE: Final = b"\0\0\0\x0cjP  "
_JP2_CODESTREAM_BOX: Final = b"jp2c"


@dataclass(frozen=True, slots=True)
class Frame:
    """Rows and columns in pixels, samples per pixel, bits per sample."""

    rows: int
    columns: int
    samples: int
    precision: int


def jpeg_frame(codestream: bytes) -> Frame:
    """The frame header of a JPEG or JPEG-LS codestream (ITU-T T.81 B.2.2, T.87 C.2.2).

    Raises NotDecodable unless there is exactly one before the first scan and all segments before it are well-formed.
    """
    frame: Frame | None = None
    components = b""
    for marker, body in _segments(codestream):
        if marker in _STARTS_OF_FRAME:
            if frame is not None or len(body) < 6:
                break
            precision, rows, columns, samples = struct.unpack_from(">BHHB", body)
            frame, components = Frame(rows, columns, samples, precision), body[6:]
            if len(components) != 3 * samples or not {*components[1::3]} <= _SAMPLED:
                break
        elif marker == _ADOBE and body.startswith(b"Adobe"):
            if len(body) < _ADOBE_BODY.size or _ADOBE_BODY.unpack_from(body)[-1] not in _COLOUR_TRANSFORMS:
                break
        elif marker == _START_OF_SCAN:
            if frame is None or not _scans(body, components[::3]):
                break
            return frame
    raise NotDecodable


# Both sampling factors of a component in one byte.
_SAMPLED: Final = frozenset(horizontal << 4 | vertical for horizontal in _SAMPLING for vertical in _SAMPLING)


def _segments(codestream: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and body of each segment up to the first start of scan. Stops at a malformed segment."""
    position = 2
    for _ in range(_MAX_SEGMENTS):
        header = codestream[position : position + 4]
        if len(header) < 4 or header[0] != 0xFF:
            return
        if header[1] == 0xFF:  # any number of FF bytes may precede a marker
            position += 1
            continue
        end = position + 2 + int.from_bytes(header[2:], "big")
        if end < position + 4 or end > len(codestream):
            return
        yield header[1], codestream[position + 4 : end]
        if header[1] == _START_OF_SCAN:
            return
        position = end


def _scans(body: bytes, components: bytes) -> bool:
    """Whether a scan header names components of the frame, each at most once."""
    count = body[0] if body else 0
    named = body[1 : 1 + 2 * count : 2]
    return 1 <= count == len({*named}) and len(body) == 4 + 2 * count and {*named} <= {*components}


def j2k_frame(codestream: bytes) -> Frame:
    """The SIZ segment of a JPEG 2000 codestream (ITU-T T.800 A.5.1), bare or in a JP2 file.

    Raises NotDecodable if there is none, if it has too many tiles, or if its components differ.
    """
    start = _jp2_codestream(codestream) if codestream.startswith(_JP2_SIGNATURE) else 0
    siz = codestream[start : start + 42]
    if not siz.startswith(_J2K_START) or len(siz) < 42:
        raise NotDecodable
    right, bottom, left, top, width, height, across, down, samples = struct.unpack_from(">8IH", siz, 8)
    components = codestream[start + 42 : start + 42 + 3 * samples]
    tiles = _tiles(right, across, width) * _tiles(bottom, down, height)
    if not 1 <= tiles <= _J2K_MOST_TILES or len(components) != 3 * samples or not samples:
        raise NotDecodable
    if components != components[:1] + b"\1\1" + components[3:] or components != components[:3] * samples:
        raise NotDecodable
    return Frame(bottom - top, right - left, samples, (components[0] & 0x7F) + 1)


def _tiles(end: int, offset: int, size: int) -> int:
    """Tiles along one axis of the reference grid."""
    return -(-(end - offset) // size) if size else 0


def _jp2_codestream(file: bytes) -> int:
    """The offset of the first codestream box's contents. DICOM forbids the JP2 wrapping, but some devices write it."""
    position = 0
    for _ in range(_MAX_SEGMENTS):
        length, kind = int.from_bytes(file[position : position + 4], "big"), file[position + 4 : position + 8]
        if kind == _JP2_CODESTREAM_BOX:
            return position + 8
        if length < 8:  # 1 announces a 64-bit length, 0 the last box: neither comes before a codestream
            break
        position += length
    raise NotDecodable
