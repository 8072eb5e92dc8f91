"""PNG and JPEG → 8-bit grey, through Pillow."""

import struct
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from cxr.decode.dicom.greyscale import Greyscale, to_grey
from cxr.decode.guards import BoundedReads, check_size, untrusted
from cxr.decode.radiograph import Radiograph
from cxr.errors import NotDecodable

_MAX_SCANS: Final = 100
_START_OF_SCAN: Final = b"\xff\xda"

_ORIENTATION_TAG: Final = 0x0112
_EXIF_PREFIX: Final = b"Exif\0\0"
# How to undo each EXIF orientation; 1 is upright.
_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class _Jpeg(JpegImageFile):
    """A JPEG whose EXIF Pillow does not parse: its parser warns about malformed files, on stderr."""

    def getexif(self) -> Image.Exif:
        return Image.Exif()


# The plugins' classes are called, not Image.open: the latter holds the formats to be tried and the limit on
# pixels in globals of the process, and its limit warns, which no thread can silence for itself alone.
@untrusted
def _open(plugin: type[ImageFile], data: bytes) -> ImageFile:
    return plugin(BoundedReads(data))


@untrusted
def _load(image: ImageFile) -> Image.Image:
    image.load()
    return image


def decode_png(data: bytes) -> Radiograph:
    """Decode a PNG of any colour type and depth; of an animated one, the default image."""
    return _decode(PngImageFile, data, "image/png")


def decode_jpeg(data: bytes) -> Radiograph:
    """Decode a JPEG: grey, YCbCr, RGB or CMYK, baseline or progressive."""
    check_scans(data)
    return _decode(_Jpeg, data, "image/jpeg")


def check_scans(data: bytes) -> None:
    """Refuse a progressive JPEG of absurdly many scans.

    A scan of a hundred bytes repaints the whole image: 64 MiB of them would decode for hours.
    """
    if data.count(_START_OF_SCAN) > _MAX_SCANS:
        raise NotDecodable


def _decode(plugin: type[ImageFile], data: bytes, media_type: str) -> Radiograph:
    file = _open(plugin, data)
    check_size(*file.size)
    turned = orientation(file.info.get("exif", b""))
    return Radiograph(grey(upright(_load(file), turned)), media_type, instance=None, warnings=(), turned=turned)


def upright(image: Image.Image, turned: int) -> Image.Image:
    """The image turned as its EXIF orientation says."""
    how = _UPRIGHT.get(turned)
    return image if how is None else image.transpose(how)


def orientation(exif: bytes) -> int:
    """The orientation in an EXIF block's first directory, 1 to 8; 1 where absent or malformed."""
    tiff = exif.removeprefix(_EXIF_PREFIX)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    stream = BytesIO(tiff)
    try:
        stream.seek(*struct.unpack_from(f"{order}I", tiff, 4))
        (entries,) = struct.unpack(f"{order}H", stream.read(2))
        for _ in range(entries):
            tag, _kind, _count, value = struct.unpack(f"{order}HHIHxx", stream.read(12))
            if tag == _ORIENTATION_TAG:
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:  # the block ends too early
        pass
    return 1


def grey(image: Image.Image) -> NDArray[np.uint8]:
    """Any mode of Pillow's PNG and JPEG readers → [H, W] uint8. 8-bit grey is not changed.

    Sixteen-bit grey is windowed as a DICOM image without a window; what is transparent shows black.
    """
    if image.mode.startswith("I"):
        return to_grey(np.asarray(image).astype(np.uint16), Greyscale())
    return _luminance(image)


@untrusted
def _luminance(image: Image.Image) -> NDArray[np.uint8]:
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    if image.mode not in ("1", "L", "RGB"):
        image = image.convert("RGB")
    return np.array(image.convert("L"))
