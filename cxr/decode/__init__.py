"""Bytes of a radiograph → an 8-bit grey image."""

from cxr.decode.formats import Format, format_of
from cxr.decode.png_jpeg import decode_jpeg, decode_png
from cxr.decode.radiograph import InstanceUIDs, Radiograph
from cxr.errors import BodyTooLarge, EmptyInput
from cxr.limits import MAX_BYTES

__all__ = ["InstanceUIDs", "Radiograph", "decode"]


def decode(data: bytes) -> Radiograph:
    """Decode a PNG, a JPEG or a DICOM Part 10 file of at most 64 MiB and 40 megapixels.

    The format is told from the bytes alone. Raises subclasses of `cxr.errors.Refusal` and nothing else.
    Safe to call from several threads.
    """
    if not data:
        raise EmptyInput
    if len(data) > MAX_BYTES:
        raise BodyTooLarge
    match format_of(data):
        case Format.DICOM:
            from cxr.decode.dicom.acceptance import decode_dicom  # lazily: the training machine has no pydicom

            return decode_dicom(data)
        case Format.PNG:
            return decode_png(data)
        case Format.JPEG:
            return decode_jpeg(data)
