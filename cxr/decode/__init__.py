"""Bytes of a radiograph → an 8-bit grey image."""

from cxr.decode.formats import Format, format_of, is_dicom
from cxr.decode.png_jpeg import decode_jpeg, decode_png, preview_jpeg, preview_png
from cxr.decode.preview import Preview
from cxr.decode.radiograph import InstanceUIDs, Radiograph
from cxr.decode.sandbox.pool import decode_in_child, preview_in_child, source_in_child
from cxr.decode.source import Source
from cxr.errors import BodyTooLarge, EmptyInput, NoInstance
from cxr.limits import MAX_BYTES

__all__ = ["InstanceUIDs", "Preview", "Radiograph", "Source", "decode", "is_dicom", "preview", "source_of"]


def decode(data: bytes) -> Radiograph:
    """Decode a PNG, a JPEG or a DICOM Part 10 file of at most 64 MiB and 40 megapixels.

    The format is recognised from the bytes alone. Safe to call from several threads. DICOM files are decoded in child
    processes (`cxr.decode.sandbox` gives the reason), so a thread with one may wait until a child is free.

    Raises:
        Refusal: the file cannot be used; the subclass says why.
        DecoderUnavailable: no child process can be started.
    """
    match _checked_format(data):
        case Format.DICOM:
            return decode_in_child(data)
        case Format.PNG:
            return decode_png(data)
        case Format.JPEG:
            return decode_jpeg(data)


def preview(data: bytes) -> Preview:
    """The same radiograph before its window is applied, for a screen. Raises what `decode` raises, and TooSmall.

    With its own window it is the picture that `decode` returns, except for the effect of shrinking.
    """
    match _checked_format(data):
        case Format.DICOM:
            return preview_in_child(data)
        case Format.PNG:
            return preview_png(data)
        case Format.JPEG:
            return preview_jpeg(data)


def source_of(data: bytes) -> Source:
    """The elements of a decoded DICOM file that a result object must repeat. They are read in a child process.

    Raises NoInstance if the file does not name its study, series and instance: no object could refer to it.
    """
    source = source_in_child(data)
    if not source.complete:
        raise NoInstance
    return source


def _checked_format(data: bytes) -> Format:
    if not data:
        raise EmptyInput
    if len(data) > MAX_BYTES:
        raise BodyTooLarge
    return format_of(data)
