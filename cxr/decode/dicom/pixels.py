"""A parsed DICOM dataset's pixel data → 8-bit grey."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut

from cxr.decode.codestream import CodestreamSize, j2k_size, jpeg_size
from cxr.decode.dicom.elements import has_value, integer, lut, numbers, text
from cxr.decode.dicom.greyscale import Greyscale, Window, to_grey
from cxr.decode.guards import check_size, untrusted
from cxr.decode.png_jpeg import check_scans
from cxr.errors import NoPixels, NotDecodable, TransferSyntaxUnsupported

# Which of pydicom's plugins decodes what; "" is pydicom itself. One each: left alone, pydicom tries one after
# another until one makes something of a broken codestream, and begins with GDCM, which guesses the most.
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


def grey_pixels(dataset: Dataset) -> NDArray[np.uint8]:
    """Decode the one frame: [H, W] uint8, as stored, not turned, low values dark unless the file says not.

    Raises TooManyPixels, NoPixels, TransferSyntaxUnsupported (JPEG of 12 bits), NotDecodable.
    """
    photometric = text(dataset, "PhotometricInterpretation")
    _check_layout(dataset, photometric)
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        _check_codestream(dataset)
    stored = _decode(dataset)
    if photometric == "PALETTE COLOR":
        return _luminance(_look_up_palette(stored, dataset))
    if stored.ndim == 3:
        return _luminance(stored, integer(dataset, "BitsStored", 8))
    return to_grey(stored, _meaning(dataset, photometric, stored.dtype))


def _check_layout(dataset: Dataset, photometric: str) -> None:
    """Refuse by the elements alone, before anything is allocated for pixels."""
    check_size(integer(dataset, "Columns", 0), integer(dataset, "Rows", 0))
    if not has_value(dataset, "PixelData"):
        raise NoPixels
    # The standard gives radiographs 8 or 16 bits; 32 would quadruple what a frame may take.
    if integer(dataset, "BitsAllocated", 0) not in (8, 16):
        raise NotDecodable
    if integer(dataset, "SamplesPerPixel", 1) != _SAMPLES.get(photometric):
        raise NotDecodable


def _check_codestream(dataset: Dataset) -> None:
    """Refuse a codestream larger than the elements say: a decoder allocates what the codestream says."""
    syntax = dataset.file_meta.TransferSyntaxUID
    codestream = _codestream(dataset)
    size: CodestreamSize | None = None
    if syntax in _J2K_SYNTAXES:
        size = j2k_size(codestream)
    elif syntax in _JPEG_SYNTAXES:
        check_scans(codestream)
        size = jpeg_size(codestream)
        if syntax == uid.JPEGExtended12Bit and size.precision != 8:
            raise TransferSyntaxUnsupported
    if size is None:
        return
    check_size(size.columns, size.rows)
    rows, columns = integer(dataset, "Rows", 0), integer(dataset, "Columns", 0)
    if size.rows > rows or size.columns > columns or size.samples > integer(dataset, "SamplesPerPixel", 1):
        raise NotDecodable


@untrusted
def _codestream(dataset: Dataset) -> bytes:
    return get_frame(dataset.PixelData, 0, number_of_frames=1)


@untrusted
def _decode(dataset: Dataset) -> NDArray[Any]:
    """The first frame, [H, W] or [H, W, 3] of 8 or 16 bits; YBR comes out as RGB."""
    syntax = dataset.file_meta.TransferSyntaxUID
    dataset.NumberOfFrames = 1  # absent, empty or 0 until here
    stored, _ = get_decoder(syntax).as_array(dataset, index=0, decoding_plugin=_PLUGINS[syntax])
    if stored.dtype.itemsize > 2 or stored.shape[:2] != (dataset.Rows, dataset.Columns):
        raise NotDecodable
    return stored.astype(stored.dtype.newbyteorder("="), copy=False)


@untrusted
def _look_up_palette(stored: NDArray[Any], dataset: Dataset) -> NDArray[Any]:
    return apply_color_lut(stored, dataset)[..., :3]


def _luminance(rgb: NDArray[Any], bits: int = 16) -> NDArray[np.uint8]:
    """[H, W, 3] of 8 bits, or 16 of which so many are stored → [H, W], weighted as a colour PNG is."""
    if rgb.dtype.itemsize == 2:
        rgb = rgb >> max(bits - 8, 0)
    eight_bit = np.ascontiguousarray(rgb.astype(np.uint8))
    return np.array(Image.fromarray(eight_bit).convert("L"))


def _meaning(dataset: Dataset, photometric: str, stored: np.dtype[Any]) -> Greyscale:
    slope, intercept = numbers(dataset, "RescaleSlope"), numbers(dataset, "RescaleIntercept")
    rescale = (slope[0], intercept[0]) if slope and intercept else (1.0, 0.0)
    return Greyscale(
        modality=lut(dataset, "ModalityLUTSequence") or rescale,
        voi=lut(dataset, "VOILUTSequence") or _window(dataset),
        padding=_padding(dataset, stored),
        # Two ways to say one thing (PS3.3 C.8.11.3.1.2 wants both in DX): together they still invert once.
        inverse=photometric == "MONOCHROME1" or text(dataset, "PresentationLUTShape") == "INVERSE",
    )


def _window(dataset: Dataset) -> Window | None:
    """The first window; None where there is none or it is narrower than one unit."""
    centers, widths = numbers(dataset, "WindowCenter"), numbers(dataset, "WindowWidth")
    if not centers or not widths or widths[0] < 1:
        return None
    return Window(centers[0], widths[0], text(dataset, "VOILUTFunction") or "LINEAR")


def _padding(dataset: Dataset, stored: np.dtype[Any]) -> tuple[int, int] | None:
    """The range of stored values that are padding, whichever sign the elements were written with."""
    value, limit = numbers(dataset, "PixelPaddingValue"), numbers(dataset, "PixelPaddingRangeLimit")
    if not value:
        return None
    unsigned = [int(end) % (1 << 8 * stored.itemsize) for end in value[:1] + limit[:1]]
    ends = np.array(unsigned, f"u{stored.itemsize}").view(stored)
    return int(ends.min()), int(ends.max())
