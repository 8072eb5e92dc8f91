"""Bytes of a radiograph → an 8-bit grey image."""

from cxr.decode.formats import Format, format_of, is_dicom
from cxr.decode.png_jpeg import decode_jpeg, decode_png
from cxr.decode.radiograph import InstanceUIDs, Radiograph
from cxr.decode.sandbox.pool import decode_in_child
from cxr.errors import BodyTooLarge, EmptyInput
from cxr.limits import MAX_BYTES

__all__ = ["InstanceUIDs", "Radiograph", "decode", "is_dicom"]


def decode(data: bytes) -> Radiograph:
    """Decode a PNG, a JPEG or a DICOM Part 10 file of at most 64 MiB and 40 megapixels.

    The format is told from the bytes alone. Raises subclasses of `cxr.errors.Refusal` and nothing else.
    Safe to call from several threads, of which those with a DICOM file may wait for a child process to be free:
    `cxr.decode.sandbox` says why. DecoderUnavailable where none can be had.
    """
    if not data:
        raise EmptyInput
    if len(data) > MAX_BYTES:
        raise BodyTooLarge
    match format_of(data):
        case Format.DICOM:
            return decode_in_child(data)
        case Format.PNG:
            return decode_png(data)
        case Format.JPEG:
            return decode_jpeg(data)
