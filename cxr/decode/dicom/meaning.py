"""Read from a DICOM file's elements what its stored values mean, and warn of what they leave open."""

from typing import Final

from pydicom.dataset import Dataset

from cxr.decode.dicom.elements import integer, numbers, text
from cxr.decode.dicom.greyscale import Greyscale
from cxr.decode.dicom.lookup_tables import luts
from cxr.decode.dicom.stored_bits import StoredBits
from cxr.decode.dicom.voi import Lut, Window

RESCALE: Final = (
    "The file's rescale slope or intercept is missing or cannot be used. A slope of 1, or an intercept of 0, was taken."
)
MODALITY_LUT: Final = "The file's modality lookup table cannot be read. It was left out."
WINDOW: Final = (
    "The file's window or lookup table of grey values cannot be read, or misses the image. Another one of the file, "
    "or the image's own percentiles, were taken."
)
SHAPE: Final = (
    "The file's presentation LUT shape contradicts its photometric interpretation. The latter was followed: "
    "check that air is dark."
)

_MAX_WINDOWS: Final = 4
# PS3.3 C.8.11.3.1.2: each photometric interpretation requires one shape.
_SHAPES: Final = {"MONOCHROME1": "INVERSE", "MONOCHROME2": "IDENTITY"}


def stored_bits(dataset: Dataset, allocated: int, precision: int | None) -> StoredBits:
    """The position of the value in a word of `allocated` bits.

    precision: bits per sample of the codestream; None without a codestream. A codestream's values begin at bit 0,
    whatever high bit the elements state. If the stated bits are impossible, the whole word is the value.
    """
    stored = integer(dataset, "BitsStored", allocated)
    if not 1 <= stored <= allocated:
        stored = allocated
    high = integer(dataset, "HighBit", stored - 1)
    if precision is not None:
        high = min(high, precision - 1)
    shift = high + 1 - stored if stored <= high + 1 <= allocated else 0
    return StoredBits(allocated, stored, shift, signed=integer(dataset, "PixelRepresentation", 0) == 1)


def meaning(dataset: Dataset, bits: StoredBits) -> tuple[Greyscale, tuple[str, ...]]:
    """The greyscale pipeline of a file in MONOCHROME1 or MONOCHROME2, and warnings about what had to be assumed."""
    (slope, intercept), complete = _rescale(dataset)
    tables = luts(dataset, "ModalityLUTSequence", bits.signed)
    table = next((one for one in tables if one is not None), None)
    # The output of a modality LUT is never negative (PS3.3 C.11.1.1.1).
    negative = table is None and min(slope * bits.lowest, slope * bits.highest) + intercept < 0
    photometric, shape = text(dataset, "PhotometricInterpretation"), text(dataset, "PresentationLUTShape")
    said = {
        RESCALE: not complete and table is None,
        MODALITY_LUT: bool(tables) and table is None,
        SHAPE: shape in _SHAPES.values() and shape != _SHAPES.get(photometric),
    }
    greyscale = Greyscale(
        bits=bits,
        modality=table or (slope, intercept),
        voi=_voi(dataset, negative),
        padding=_padding(dataset),
        inverse=photometric == "MONOCHROME1",
    )
    return greyscale, tuple(sentence for sentence, applies in said.items() if applies)


def _rescale(dataset: Dataset) -> tuple[tuple[float, float], bool]:
    """Slope and intercept, and whether they are reliable: the file states usable values for both or for neither."""
    slopes, intercepts = numbers(dataset, "RescaleSlope"), numbers(dataset, "RescaleIntercept")
    slope, intercept = (next(iter(values), None) for values in (slopes, intercepts))
    complete = (slope not in (None, 0) and intercept is not None) or not (slopes or intercepts)
    return (slope or 1.0, intercept or 0.0), complete


def _voi(dataset: Dataset, negative: bool) -> tuple[Lut | Window | None, ...]:
    """Lookup tables, then windows, in the file's order; None for one that cannot be used."""
    return luts(dataset, "VOILUTSequence", negative) + _windows(dataset)


def _windows(dataset: Dataset) -> tuple[Window | None, ...]:
    """The first windows that have a centre or a width, at most four."""
    centers, widths = numbers(dataset, "WindowCenter"), numbers(dataset, "WindowWidth")
    function = text(dataset, "VOILUTFunction") or "LINEAR"
    missing = (None,) * max(len(centers), len(widths))
    pairs = list(zip(centers + missing, widths + missing, strict=False))[: len(missing)]
    readable = [Window(c, w, function) for c, w in pairs if c is not None and w is not None]
    legal = tuple(window for window in readable if window.is_legal)[:_MAX_WINDOWS]
    return legal if legal or not pairs else (None,)


def _padding(dataset: Dataset) -> tuple[int, ...]:
    value, limit = numbers(dataset, "PixelPaddingValue")[:1], numbers(dataset, "PixelPaddingRangeLimit")[:1]
    return tuple(int(end) for end in value + limit if end is not None) if value else ()
