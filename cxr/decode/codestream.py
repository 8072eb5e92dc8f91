"""The size that a JPEG, JPEG-LS or JPEG 2000 codestream claims, read without decoding it.

A DICOM file states its image's size twice, in its elements and in the codestream. Decoders believe the
latter.
"""

import struct
from dataclasses import dataclass
from typing import Final

from cxr.errors import NotDecodable

# Start of frame: all of C0 to CF but DHT, JPG and DAC; F7 is JPEG-LS.
_START_OF_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
_START_OF_SCAN: Final = 0xDA
_MAX_SEGMENTS: Final = 1000
_J2K_START: Final = b"\xff\x4f\xff\x51"
_JP2_SIGNATURE: Final = b"\0\0\0\x0cjP  "
_JP2_CODESTREAM_BOX: Final = b"jp2c"


@dataclass(frozen=True, slots=True)
class CodestreamSize:
    """Rows and columns in pixels, samples a pixel, bits a sample."""

    rows: int
    columns: int
    samples: int
    precision: int


def jpeg_size(codestream: bytes) -> CodestreamSize:
    """The size in a JPEG or JPEG-LS codestream's frame header. Raises NotDecodable where there is none."""
    position = 2
    for _ in range(_MAX_SEGMENTS):
        header = codestream[position : position + 10]
        if len(header) < 10 or header[0] != 0xFF or header[1] == _START_OF_SCAN:
            break
        if header[1] in _START_OF_FRAME:
            precision, rows, columns, samples = struct.unpack(">BHHB", header[4:10])
            return CodestreamSize(rows, columns, samples, precision)
        # Any number of FF may fill the gap before a marker.
        position += 1 if header[1] == 0xFF else 2 + int.from_bytes(header[2:4], "big")
    raise NotDecodable


def j2k_size(codestream: bytes) -> CodestreamSize:
    """The size in the SIZ segment of a JPEG 2000 codestream, bare or in a JP2 file. Raises NotDecodable."""
    start = _jp2_codestream(codestream) if codestream.startswith(_JP2_SIGNATURE) else 0
    siz = codestream[start : start + 43]
    if not siz.startswith(_J2K_START) or len(siz) < 43:
        raise NotDecodable
    right, bottom, left, top = struct.unpack_from(">4I", siz, 8)
    (samples,) = struct.unpack_from(">H", siz, 40)
    return CodestreamSize(bottom - top, right - left, samples, (siz[42] & 0x7F) + 1)


def _jp2_codestream(file: bytes) -> int:
    """Where the first codestream box's contents begin. DICOM forbids the JP2 wrapping; some write it."""
    position = 0
    for _ in range(_MAX_SEGMENTS):
        length, kind = int.from_bytes(file[position : position + 4], "big"), file[position + 4 : position + 8]
        if kind == _JP2_CODESTREAM_BOX:
            return position + 8
        if length < 8:  # 1 announces a 64-bit length, 0 the last box: neither comes before a codestream
            break
        position += length
    raise NotDecodable
