"""Recognise a file's format from its first bytes."""

import re
from enum import Enum, auto
from typing import Final

from cxr.errors import NotDecodable, OtherFormat, PreambleMissing


class Format(Enum):
    """The formats that are decoded."""

    DICOM = auto()
    PNG = auto()
    JPEG = auto()


_DICOM_PREFIX: Final = b"DICM"
_PREAMBLE_LENGTH: Final = 128
# A file meta element or one of group 8, explicit (a VR of two capitals) or implicit (a length under 256).
_DICOM_ELEMENT: Final = re.compile(rb"[\x02\x08]\0.\0(?:[A-Z]{2}|.\0\0\0)|DICM", re.DOTALL)
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG: Final = b"\xff\xd8\xff"
_OTHERS: Final = (
    b"II*\0", b"MM\0*", b"II+\0", b"MM\0+",  # TIFF and BigTIFF
    b"BM", b"GIF8", b"RIFF", b"%PDF-", b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf", b"8BPS",
    b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51", b"P2", b"P5", b"\x93NUMPY", b"\x5c\x01\0\0",  # JPEG 2000, PGM, NumPy, NIfTI
)  # fmt: skip
_BOX: Final = b"ftyp"  # HEIC and AVIF name themselves in a box of MPEG-4


def format_of(data: bytes) -> Format:
    """The format of a file. Raises PreambleMissing, OtherFormat, NotDecodable if it is not one of `Format`."""
    # DICOM first: its 128-byte preamble may hold anything, also the signature of another format.
    if is_dicom(data):
        return Format.DICOM
    if data.startswith(_PNG):
        return Format.PNG
    if data.startswith(_JPEG):
        return Format.JPEG
    if _DICOM_ELEMENT.match(data):
        raise PreambleMissing
    if data.startswith(_OTHERS) or data.startswith(_BOX, 4):
        raise OtherFormat
    raise NotDecodable


def is_dicom(data: bytes) -> bool:
    """Whether the bytes are a DICOM Part 10 file."""
    return data.startswith(_DICOM_PREFIX, _PREAMBLE_LENGTH)
