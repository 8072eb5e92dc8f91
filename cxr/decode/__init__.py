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

    The format is told from the bytes alone. Raises subclasses of `cxr.errors.Refusal` and nothing else.
    Safe to call from several threads, of which those with a DICOM file may wait for a child process to be free:
    `cxr.decode.sandbox` says why. DecoderUnavailable where none can be had.
    """
    match _checked_format(data):
        case Format.DICOM:
            return decode_in_child(data)
        case Format.PNG:
            return decode_png(data)
        case Format.JPEG:
            return decode_jpeg(data)


def preview(data: bytes) -> Preview:
    """The radiograph that `decode` decodes, for a screen with a window to set. Raises what `decode` does, and TooSmall.

    Shown through its own window it is the same picture, but for what shrinking does.
    """
    match _checked_format(data):
        case Format.DICOM:
            return preview_in_child(data)
        case Format.PNG:
            return preview_png(data)
        case Format.JPEG:
            return preview_jpeg(data)


def source_of(data: bytes) -> Source:
    """What an object made from a DICOM file that has been decoded repeats of it. Read in a child process, as above.

    Raises NoInstance where the file does not name its study, series and instance, so that nothing can refer to it.
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
