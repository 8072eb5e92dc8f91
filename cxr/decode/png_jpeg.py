"""PNG and JPEG → 8-bit grey, through Pillow."""

from collections.abc import Callable
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from cxr.decode.budget import PIXELS
from cxr.decode.guards import BoundedReads, check_size, untrusted
from cxr.decode.histogram import check_varied
from cxr.decode.orientation import exif_orientation, upright
from cxr.decode.png_16_bit import deep_colour, is_deep_colour, unwindowed, windowed
from cxr.decode.preview import Preview, Windowed, from_grey, preview_of
from cxr.decode.radiograph import Radiograph
from cxr.errors import NotDecodable, Truncated

T = TypeVar("T")

_MAX_SCANS: Final = 100
_STRIP: Final = 1 << 20  # pixels
_START_OF_SCAN: Final = b"\xff\xda"
_END_OF_PNG: Final = b"IEND"
_END_OF_JPEG: Final = b"\xff\xd9"
_END: Final = 1024  # last bytes in which the end marker is searched: some writers pad a file


class _Jpeg(JpegImageFile):
    """A JPEG whose EXIF is not parsed by Pillow, because Pillow's parser warns about malformed files on stderr."""

    def getexif(self) -> Image.Exif:
        return Image.Exif()


# Call the plugins' classes and not Image.open: that keeps its formats and its limit on pixels in globals of the
# process, and its limit issues a warning that no thread can silence for itself alone.
@untrusted
def _open(plugin: type[ImageFile], data: bytes) -> ImageFile:
    return plugin(BoundedReads(data))


@untrusted
def _load(image: ImageFile) -> Image.Image:
    image.load()
    return image


def decode_png(data: bytes) -> Radiograph:
    """Decode a PNG of any colour type and depth. For an animated PNG, decode the default image."""
    return _radiograph(PngImageFile, data, "image/png")


def decode_jpeg(data: bytes) -> Radiograph:
    """Decode a JPEG: grey, YCbCr, RGB or CMYK, baseline or progressive."""
    check_scans(data)
    return _radiograph(_Jpeg, data, "image/jpeg")


def preview_png(data: bytes) -> Preview:
    """The same file for a screen. 16-bit grey keeps its depth; 16-bit colour is windowed. Also raises TooSmall."""
    return preview_of(*_decode(PngImageFile, data, _windowed))


def preview_jpeg(data: bytes) -> Preview:
    """The same file for a screen. Also raises TooSmall."""
    check_scans(data)
    return preview_of(*_decode(_Jpeg, data, _windowed))


def check_scans(data: bytes) -> None:
    """Refuse a progressive JPEG with absurdly many scans.

    A scan of a hundred bytes repaints the whole image, so 64 MiB of scans would take hours to decode.
    """
    if data.count(_START_OF_SCAN) > _MAX_SCANS:
        raise NotDecodable


def _radiograph(plugin: type[ImageFile], data: bytes, media_type: str) -> Radiograph:
    pixels, turned = _decode(plugin, data, _grey)
    return Radiograph(upright(pixels, turned), media_type, instance=None, warnings=(), turned=turned)


def _decode(
    plugin: type[ImageFile], data: bytes, convert: Callable[[ImageFile, Callable[[], ImageFile]], T]
) -> tuple[T, int]:
    """Open an image, convert it as stored, and return the result with the EXIF orientation."""
    opened = _attempt(lambda: _open(plugin, data), data)
    check_size(*opened.size)
    turned = exif_orientation(opened.info.get("exif", b""))
    with PIXELS.hold(opened.width * opened.height):
        return _attempt(lambda: convert(opened, lambda: _open(plugin, data)), data), turned


def _attempt(decode: Callable[[], T], data: bytes) -> T:
    """Decode. Raises Truncated instead of NotDecodable if the bytes lack the format's end marker."""
    try:
        return decode()
    except NotDecodable:
        pass
    raise NotDecodable if data.rfind(_END_OF_PNG, -_END) >= 0 or data.rfind(_END_OF_JPEG, -_END) >= 0 else Truncated


def _grey(image: ImageFile, reopen: Callable[[], ImageFile]) -> NDArray[np.uint8]:
    """A PNG or JPEG that is not loaded yet, of any mode → [H, W] uint8. 8-bit grey is not changed.

    Sixteen bits, grey or colour, are windowed like a DICOM image without a window. Transparent pixels become black.
    """
    if is_deep_colour(image):
        return deep_colour(reopen)
    loaded = _load(image)
    if loaded.mode.startswith("I"):
        return windowed(np.asarray(loaded).astype(np.uint16))
    pixels = _luminance(loaded)
    check_varied(pixels)
    return pixels


def _windowed(image: ImageFile, reopen: Callable[[], ImageFile]) -> Windowed:
    """The same; 16-bit grey stays without its window."""
    if is_deep_colour(image) or not (loaded := _load(image)).mode.startswith("I"):
        return from_grey(_grey(image, reopen))
    return unwindowed(np.asarray(loaded).astype(np.uint16))


@untrusted
def _luminance(image: Image.Image) -> NDArray[np.uint8]:
    """Convert in strips: Pillow holds the interpreter's lock while it converts, half a second for a large image."""
    rows = max(1, _STRIP // image.width)
    if image.height <= rows:
        return _strip_luminance(image)
    pixels = np.empty(image.size[::-1], np.uint8)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        pixels[top:bottom] = _strip_luminance(image.crop((0, top, image.width, bottom)))
    return pixels


def _strip_luminance(image: Image.Image) -> NDArray[np.uint8]:
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    if image.mode not in ("1", "L", "RGB"):
        image = image.convert("RGB")
    return np.array(image if image.mode == "L" else image.convert("L"))  # which would copy it once more
