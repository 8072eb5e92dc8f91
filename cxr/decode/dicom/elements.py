"""A DICOM file's elements as plain Python values, read with pydicom.

Only the elements listed here are kept: no name, date or identifier of a patient is parsed. The exception is
`stored_bytes`, which copies some of them for an object that goes back into the patient's study.
"""

import math
import re
from collections.abc import Collection
from typing import Any, Final

import pydicom.config
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from cxr.decode.guards import BoundedReads, untrusted
from cxr.decode.radiograph import InstanceUIDs
from cxr.errors import DeflatedDicom, NotDecodable, TransferSyntaxUnsupported, Truncated

# Import this in a decoder process only, whose output is discarded: pydicom's warnings and logs quote the values of
# elements, and these may name a patient.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

# fmt: off
_KEYWORDS: Final = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality",
    "PresentationIntentType", "PatientAge", "BodyPartExamined", "ViewPosition", "ViewCodeSequence",
    "PatientOrientation", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration",
    "NumberOfFrames", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "PixelPaddingValue", "PixelPaddingRangeLimit", "WindowCenter", "WindowWidth", "RescaleIntercept",
    "RescaleSlope", "VOILUTFunction", "ModalityLUTSequence", "VOILUTSequence", "PresentationLUTShape",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData", "BluePaletteColorLookupTableData", "ShutterShape",
    "ShutterLeftVerticalEdge", "ShutterRightVerticalEdge", "ShutterUpperHorizontalEdge",
    "ShutterLowerHorizontalEdge", "CenterOfCircularShutter", "RadiusOfCircularShutter",
    "VerticesOfThePolygonalShutter", "ShutterPresentationValue", "PixelData",
)
# fmt: on
_TAGS: Final = {Tag(keyword) for keyword in _KEYWORDS}
_PIXEL_DATA: Final = 0x7FE00010
_UNDEFINED_LENGTH: Final = 0xFFFFFFFF
# Largest size, in bytes, of a sequence, a lookup table, or anything inside a sequence: several 16-bit tables fit.
_MAX_TABLE: Final = 1 << 20
# Largest size, in bytes, of any other element except the pixels. pydicom makes an object of each value, so 64 MiB would
# take gigabytes.
_MAX_ELEMENT: Final = 1 << 14
_MAX_STORED: Final = 400  # in bytes, for an element that is copied unchanged: enough for a name in three scripts
_TABLES: Final = {Tag(keyword) for keyword in _KEYWORDS if keyword.endswith(("Sequence", "Data"))} - {_PIXEL_DATA}
_CHARACTER_SET: Final = 0x00080005  # pydicom always parses this one
_META_START: Final = 132
_MAX_NUMBERS: Final = 1024
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_TEXTS: Final = {"AE", "AS", "CS", "DS", "IS", "LO", "LT", "PN", "SH", "ST", "UC", "UT"}  # VRs that hold text
_UID: Final = re.compile(r"[0-9.]{1,64}")
# (implicit VR, little endian) of the syntaxes that are not explicit little endian.
_ENCODINGS: Final = {"1.2.840.10008.1.2": (True, True), "1.2.840.10008.1.2.2": (False, False)}


@untrusted
def read(data: bytes | memoryview, supported: frozenset[str]) -> Dataset:
    """Parse a DICOM Part 10 file whose transfer syntax is one of those supported.

    Raises DeflatedDicom, TransferSyntaxUnsupported, Truncated, NotDecodable. pydicom.dcmread is not used: it inflates a
    deflated file before the transfer syntax can be checked, and half a megabyte becomes a gigabyte.
    """
    stream, syntax, encoding = _opened(data)
    if syntax not in supported:
        raise TransferSyntaxUnsupported
    dataset = _parsed(stream, encoding, stop_when=_before_pixels, specific_tags=list(_TAGS))
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    if stream.tell() < stream.size:
        stream.longest = _UNDEFINED_LENGTH
        dataset.update(_parsed(stream, encoding, stop_when=lambda tag, _vr, _length: tag != _PIXEL_DATA))
    for element in dataset.elements():  # not parsed yet
        if _length(element) < (getattr(element, "length", None) or 0) != _UNDEFINED_LENGTH:
            raise Truncated
    return dataset


@untrusted
def stored_bytes(data: bytes | memoryview, keywords: Collection[str]) -> dict[str, bytes]:
    """The raw values of elements before the pixels, without padding; b"" where absent or too long.

    Reads a DICOM Part 10 file of any transfer syntax except deflated. Raises DeflatedDicom, NotDecodable. Use it for
    text elements only: numbers may be in either byte order.
    """
    stream, _, encoding = _opened(data)
    tags = {keyword: Tag(keyword) for keyword in keywords}
    dataset = read_dataset(stream, *encoding, stop_when=_before_pixels, specific_tags=list(tags.values()))
    return {keyword: _stored(dataset, tag) for keyword, tag in tags.items()}


def _stored(dataset: Dataset, tag: BaseTag) -> bytes:
    if tag not in dataset:
        return b""
    value = dataset.get_item(tag).value
    if not isinstance(value, bytes):  # the character set, which pydicom has parsed
        value = "\\".join(map(str, as_list(value or ""))).encode("ascii", "ignore")
    return value.strip(b" \0") if len(value) <= _MAX_STORED else b""


def _opened(data: bytes | memoryview) -> tuple[BoundedReads, UID, tuple[bool, bool]]:
    """A Part 10 file opened at its dataset, its transfer syntax, and (implicit VR, little endian)."""
    stream = BoundedReads(data, longest=_MAX_TABLE)
    stream.seek(_META_START)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, _vr, _length: tag.group != 2)
    syntax = UID(meta.TransferSyntaxUID)
    if syntax == DeflatedExplicitVRLittleEndian:
        raise DeflatedDicom
    return stream, syntax, _ENCODINGS.get(syntax, (False, True))


def _parsed(stream: BoundedReads, encoding: tuple[bool, bool], **limits: Any) -> Dataset:
    """Parse the elements from here on. Raises Truncated if the file ends within one."""
    start = stream.tell()
    try:
        dataset = read_dataset(stream, encoding[0], encoding[1], **limits)
    except OSError:  # within a sequence
        if stream.tell() < stream.size:
            raise
        raise Truncated from None
    # If the file ends in a fragment, pydicom drops all that it has read; in an element, it seeks beyond the end.
    if stream.tell() > stream.size or (not dataset and stream.tell() != start) or start == stream.size:
        raise Truncated
    return dataset


def _before_pixels(tag: BaseTag, _vr: str | None, length: int) -> bool:
    """Whether to stop before an element, which is at the pixels. Raises NotDecodable at an element that is too long."""
    kept = tag in _TAGS or tag == _CHARACTER_SET
    if kept and tag not in _TABLES and tag != _PIXEL_DATA and length > _MAX_ELEMENT:
        raise NotDecodable
    return bool(tag >= _PIXEL_DATA)


def _length(element: Any) -> int:
    """The size in bytes of an element that is not parsed yet; 0 for a parsed sequence."""
    return len(element.value) if isinstance(element.value, bytes) else 0


@untrusted
def texts(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """The element's values in capitals without padding; () if it is absent or empty."""
    value = dataset.get(keyword)
    if value is None or value == "":
        return ()
    values = value if isinstance(value, MultiValue) else [value]
    return tuple(str(one).strip(" \0").upper() for one in values)


def text(dataset: Dataset, keyword: str) -> str:
    """The element's first value in capitals; "" if it is absent or empty."""
    return next(iter(texts(dataset, keyword)), "")


@untrusted
def numbers(dataset: Dataset, keyword: str) -> tuple[float | None, ...]:
    """The element's first values in order, at most 1,024; () if it is absent or empty.

    A value that is empty or not a finite number is None. A decimal comma is read as a point.
    """
    element = dataset.get_item(keyword) if keyword in dataset else None
    if element is None or not element.value:
        return ()
    representation = dictionary_VR(element.tag) if element.VR in (None, "UN") else element.VR
    if isinstance(element.value, bytes) and representation in _TEXTS:
        stated = element.value.strip(b" \0").split(b"\\", _MAX_NUMBERS)[:_MAX_NUMBERS]
        return tuple(_number(one.strip().decode("latin-1")) for one in stated) if any(stated) else ()
    return tuple(_number(str(value)) for value in as_list(dataset.get(keyword))[:_MAX_NUMBERS])


def _number(text: str) -> float | None:
    point = text.replace(",", ".")
    number = float(point) if _NUMBER.fullmatch(point) else math.inf
    return number if math.isfinite(number) else None


def integer(dataset: Dataset, keyword: str, default: int) -> int:
    """The element's first value; the default if it is absent, empty or not a number."""
    first = next(iter(numbers(dataset, keyword)), None)
    return default if first is None else int(first)


@untrusted
def codes(dataset: Dataset, keyword: str) -> frozenset[str]:
    """The code values and code meanings of a sequence of coded concepts, in capitals."""
    items = dataset.get(keyword) or ()
    told = (item.get(part) for item in items for part in ("CodeValue", "CodeMeaning"))
    return frozenset(str(one).strip(" \0").upper() for one in told if one)


@untrusted
def has_value(dataset: Dataset, keyword: str) -> bool:
    """Whether the element is present and not empty. It is not parsed."""
    return keyword in dataset and bool(dataset.get_item(keyword).value)


def instance_uids(dataset: Dataset) -> InstanceUIDs:
    """The instance's UIDs, the only texts of a file that are returned. A value that is not a UID is dropped."""
    keywords = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
    uids = (text(dataset, keyword) for keyword in keywords)
    return InstanceUIDs(*(uid if _UID.fullmatch(uid) else "" for uid in uids))


def as_list(value: Any) -> list[Any]:
    """The values of an element that may hold one or several."""
    return list(value) if isinstance(value, MultiValue | list | tuple) else [value]
