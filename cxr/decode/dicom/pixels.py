"""A parsed DICOM dataset's pixel data → 8-bit grey."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_fragments
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut

from cxr.decode.codestream import Frame, j2k_frame, jpeg_frame
from cxr.decode.dicom.elements import has_value, integer, text
from cxr.decode.dicom.greyscale import to_grey, to_windowed
from cxr.decode.dicom.meaning import WINDOW, meaning, stored_bits
from cxr.decode.dicom.shutter import Shown, outside, shown
from cxr.decode.dicom.stored_bits import StoredBits
from cxr.decode.guards import check_size, untrusted
from cxr.decode.histogram import check_varied
from cxr.decode.png_jpeg import check_scans
from cxr.decode.preview import Windowed, from_grey
from cxr.errors import NoPixels, NotDecodable, TransferSyntaxUnsupported

# The pydicom plugin for each transfer syntax; "" is pydicom itself. By default pydicom tries one plugin after another
# until one returns something for a broken codestream, and begins with GDCM, which guesses the most.
_PLUGINS: Final = {
    uid.ImplicitVRLittleEndian: "",
    uid.ExplicitVRLittleEndian: "",
    uid.ExplicitVRBigEndian: "",
    uid.RLELossless: "pylibjpeg",
    uid.JPEGBaseline8Bit: "pillow",
    uid.JPEGExtended12Bit: "pillow",
    uid.JPEGLossless: "gdcm",
    uid.JPEGLosslessSV1: "gdcm",
    uid.JPEGLSLossless: "pyjpegls",
    uid.JPEGLSNearLossless: "pyjpegls",
    uid.JPEG2000Lossless: "pylibjpeg",
    uid.JPEG2000: "pylibjpeg",
    uid.HTJ2KLossless: "pylibjpeg",
    uid.HTJ2KLosslessRPCL: "pylibjpeg",
    uid.HTJ2K: "pylibjpeg",
}
SUPPORTED_SYNTAXES: Final[frozenset[str]] = frozenset(_PLUGINS)

_JPEG_SYNTAXES: Final = {*uid.JPEGTransferSyntaxes, *uid.JPEGLSTransferSyntaxes}
_J2K_SYNTAXES: Final = set(uid.JPEG2000TransferSyntaxes)
_SAMPLES: Final = {
    "MONOCHROME1": 1, "MONOCHROME2": 1, "PALETTE COLOR": 1,
    "RGB": 3, "YBR_FULL": 3, "YBR_FULL_422": 3, "YBR_ICT": 3, "YBR_RCT": 3,
}  # fmt: skip


def load_decoders() -> None:
    """Import all decoders now. pydicom would import each at its first use."""
    for syntax in SUPPORTED_SYNTAXES:
        assert get_decoder(syntax).is_available


class GreyPixels(NamedTuple):
    """pixels: [H, W] uint8, air dark. warnings: fixed sentences about what the file left open."""

    pixels: NDArray[np.uint8]
    warnings: tuple[str, ...]


def grey_pixels(dataset: Dataset) -> GreyPixels:
    """Decode the single frame as stored, without turning it.

    Raises TooManyPixels, NoPixels, TransferSyntaxUnsupported (12-bit JPEG), UniformImage, NotDecodable.
    """
    frame = _frame(dataset)
    pixels, warnings = _colour(dataset, frame) if frame.is_colour else _monochrome(dataset, frame)
    if frame.uncovered is not None:
        pixels[~frame.uncovered] = outside(dataset)
    return GreyPixels(pixels, warnings)


def windowed_pixels(dataset: Dataset) -> Windowed:
    """The same without the window; pixels under a shutter are black. Raises what `grey_pixels` raises."""
    frame = _frame(dataset)
    if frame.is_colour:
        pixels, _ = _colour(dataset, frame)
        if frame.uncovered is not None:
            pixels[~frame.uncovered] = 0
        return from_grey(pixels)
    return to_windowed(frame.stored, meaning(dataset, frame.bits)[0], frame.uncovered)


class _Frame(NamedTuple):
    """The single frame as stored, the position of the value in its words, and where no shutter covers it."""

    stored: NDArray[Any]
    bits: StoredBits
    uncovered: Shown | None
    is_colour: bool


def _frame(dataset: Dataset) -> _Frame:
    photometric = text(dataset, "PhotometricInterpretation")
    _check_layout(dataset, photometric)
    precision = _check_codestream(dataset) if dataset.file_meta.TransferSyntaxUID.is_encapsulated else None
    is_colour = photometric not in ("MONOCHROME1", "MONOCHROME2")
    bits = stored_bits(dataset, integer(dataset, "BitsAllocated", 0), precision)
    stored = _decode(dataset, is_colour, precision)
    return _Frame(stored, bits, shown(dataset, *stored.shape[:2]), is_colour)


def _monochrome(dataset: Dataset, frame: _Frame) -> GreyPixels:
    greyscale, warnings = meaning(dataset, frame.bits)
    pixels, believed = to_grey(frame.stored, greyscale, frame.uncovered)
    return GreyPixels(pixels, warnings if believed else (*warnings, WINDOW))


def _colour(dataset: Dataset, frame: _Frame) -> GreyPixels:
    if frame.stored.ndim == 2:
        pixels = _luminance(_look_up_palette(frame.stored, dataset))
    else:
        pixels = _luminance(frame.stored, integer(dataset, "BitsStored", 8))
    check_varied(pixels)
    return GreyPixels(pixels, ())


def _check_layout(dataset: Dataset, photometric: str) -> None:
    """Check the elements alone, before any memory is allocated for pixels."""
    check_size(integer(dataset, "Columns", 0), integer(dataset, "Rows", 0))
    if not has_value(dataset, "PixelData"):
        raise NoPixels
    # The standard allows 8 or 16 bits for radiographs; 32 would quadruple the memory of a frame.
    if integer(dataset, "BitsAllocated", 0) not in (8, 16):
        raise NotDecodable
    if integer(dataset, "SamplesPerPixel", 1) != _SAMPLES.get(photometric):
        raise NotDecodable


def _check_codestream(dataset: Dataset) -> int | None:
    """Refuse a codestream that contradicts the elements, because decoders trust the codestream.

    Returns its bits per sample; None for RLE, which has no header.
    """
    syntax = dataset.file_meta.TransferSyntaxUID
    codestream = _codestream(dataset)
    frame: Frame | None = None
    if syntax in _J2K_SYNTAXES:
        frame = j2k_frame(codestream)
    elif syntax in _JPEG_SYNTAXES:
        check_scans(codestream)
        frame = jpeg_frame(codestream)
        if syntax == uid.JPEGExtended12Bit and frame.precision != 8:
            raise TransferSyntaxUnsupported
    if frame is None:
        return None
    allocated = integer(dataset, "BitsAllocated", 0)
    stated = tuple(integer(dataset, keyword, 1) for keyword in ("Rows", "Columns", "SamplesPerPixel"))
    if (frame.rows, frame.columns, frame.samples) != stated or frame.precision > allocated:
        raise NotDecodable
    # GDCM writes words of the codestream's width into a buffer of the elements' width.
    if _PLUGINS[syntax] == "gdcm" and (frame.precision < 2 or 8 * -(-frame.precision // 8) != allocated):
        raise NotDecodable
    if _PLUGINS[syntax] == "pillow":
        _allocate_8_bits(dataset)
    return frame.precision


@untrusted
def _codestream(dataset: Dataset) -> bytes:
    """The frame's codestream: all fragments joined. Offsets are ignored because there is one frame."""
    fragments = list(generate_fragments(dataset.PixelData))[1:]  # the first item is the offset table
    if len(fragments) > 1:
        fragments = [b"".join(fragments)]
        dataset.PixelData = encapsulate(fragments, has_bot=False)
    return fragments[0]


def _allocate_8_bits(dataset: Dataset) -> None:
    """Set 8 bits allocated: Pillow decodes JPEG to 8-bit words, but pydicom trusts the elements."""
    dataset.BitsAllocated = 8
    dataset.BitsStored = min(integer(dataset, "BitsStored", 8), 8)
    dataset.HighBit = dataset.BitsStored - 1


@untrusted
def _decode(dataset: Dataset, is_colour: bool, precision: int | None) -> NDArray[Any]:
    """The first frame, [H, W] or [H, W, 3] of BitsAllocated. YBR becomes RGB; monochrome words are unchanged."""
    syntax = dataset.file_meta.TransferSyntaxUID
    dataset.NumberOfFrames = 1  # before, it may be absent, empty or 0
    if precision is not None and precision <= dataset.BitsAllocated and _PLUGINS[syntax] == "gdcm":
        dataset.BitsStored = precision  # otherwise GDCM drops the bits above those stored, as pydicom does
    # pydicom would drop the bits above BitsStored, and with them the value if its high bit is a different one.
    options: Any = {"view_only": True} if is_colour else {"view_only": True, "correct_unused_bits": False}
    stored, _ = get_decoder(syntax).as_array(dataset, index=0, decoding_plugin=_PLUGINS[syntax], **options)
    if 8 * stored.dtype.itemsize != dataset.BitsAllocated or stored.shape[:2] != (dataset.Rows, dataset.Columns):
        raise NotDecodable
    return stored.astype(stored.dtype.newbyteorder("="), copy=False)


@untrusted
def _look_up_palette(stored: NDArray[Any], dataset: Dataset) -> NDArray[Any]:
    return apply_color_lut(stored, dataset)[..., :3]


def _luminance(rgb: NDArray[Any], bits: int = 16) -> NDArray[np.uint8]:
    """[H, W, 3] of 8 bits, or of 16 with `bits` stored → [H, W], with the weights used for colour PNGs."""
    if rgb.dtype.itemsize == 2:
        rgb = rgb >> max(bits - 8, 0)
    eight_bit = np.ascontiguousarray(rgb.astype(np.uint8))
    return np.array(Image.fromarray(eight_bit).convert("L"))
