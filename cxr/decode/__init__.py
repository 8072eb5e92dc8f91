"""Bytes of a radiograph → an 8-bit grey image."""

from typing import Final

from cxr.decode.png_jpeg import decode_jpeg, decode_png
from cxr.decode.radiograph import InstanceUIDs, Radiograph
from cxr.errors import BodyTooLarge, EmptyInput, NotDecodable
from cxr.limits import MAX_BYTES

__all__ = ["InstanceUIDs", "Radiograph", "decode"]

_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_JPEG_START: Final = b"\xff\xd8\xff"
_DICOM_PREFIX: Final = b"DICM"
_DICOM_PREAMBLE_LENGTH: Final = 128


def decode(data: bytes) -> Radiograph:
    """Decode a PNG, a JPEG or a DICOM Part 10 file of at most 64 MiB and 40 megapixels.

    The format is told from the bytes alone. Raises subclasses of `cxr.errors.Refusal` and nothing else.
    Safe to call from several threads.
    """
    if not data:
        raise EmptyInput
    if len(data) > MAX_BYTES:
        raise BodyTooLarge
    # DICOM first: its 128-byte preamble is free, and may dress the file up as something else.
    if data.startswith(_DICOM_PREFIX, _DICOM_PREAMBLE_LENGTH):
        from cxr.decode.dicom.acceptance import decode_dicom  # lazily: the training machine has no pydicom

        return decode_dicom(data)
    if data.startswith(_PNG_SIGNATURE):
        return decode_png(data)
    if data.startswith(_JPEG_START):
        return decode_jpeg(data)
    raise NotDecodable
