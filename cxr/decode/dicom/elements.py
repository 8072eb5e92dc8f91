"""A DICOM file's elements as plain Python values, read with pydicom; none reaches a log or a warning.

Only the elements listed here are ever kept: no name, date or identifier of a patient is parsed.
"""

import logging
import math
import re
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
import pydicom.config
import pydicom.misc
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.multival import MultiValue
from pydicom.tag import Tag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from cxr.decode.dicom.greyscale import Lut
from cxr.decode.guards import BoundedReads, untrusted
from cxr.decode.radiograph import InstanceUIDs
from cxr.errors import DeflatedDicom, NotDecodable, TransferSyntaxUnsupported

# pydicom quotes elements' values in what it warns of and logs, and those may name a patient. It validates
# nothing here; its loggers (the decoders' have their own names below this one) reach no handler but its own
# NullHandler; and its one call of warnings.warn goes nowhere, as a filter on warnings holds for the whole
# process and can be undone by anyone.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
logging.getLogger("pydicom").propagate = False
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
vars(pydicom.misc)["warnings"] = SimpleNamespace(warn=lambda *_args, **_kwargs: None)

# fmt: off
_TAGS: Final = [Tag(keyword) for keyword in (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality",
    "PresentationIntentType", "PatientAge", "BodyPartExamined", "ViewPosition", "ViewCodeSequence",
    "PatientOrientation", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration",
    "NumberOfFrames", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "PixelPaddingValue", "PixelPaddingRangeLimit", "WindowCenter", "WindowWidth", "RescaleIntercept",
    "RescaleSlope", "VOILUTFunction", "ModalityLUTSequence", "VOILUTSequence", "PresentationLUTShape",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData", "BluePaletteColorLookupTableData", "PixelData",
)]
# fmt: on
_PIXEL_DATA: Final = 0x7FE00010
# Bytes of any element but the pixels: room for several 16-bit lookup tables, not for millions of numbers.
_MAX_ELEMENT: Final = 1 << 19
_META_START: Final = 132
_UID: Final = re.compile(r"[0-9.]{1,64}")
# (implicit VR, little endian) where it is not explicit little endian.
_ENCODINGS: Final = {"1.2.840.10008.1.2": (True, True), "1.2.840.10008.1.2.2": (False, False)}


@untrusted
def read(data: bytes, supported: frozenset[str]) -> Dataset:
    """Parse a DICOM Part 10 file whose transfer syntax is one of those supported.

    Raises DeflatedDicom, TransferSyntaxUnsupported, NotDecodable. Not by pydicom.dcmread, which inflates a
    deflated file before anyone can ask what it is: half a megabyte becomes a gigabyte.
    """
    stream = BoundedReads(data)
    stream.seek(_META_START)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, _vr, _length: tag.group != 2)
    syntax = UID(meta.TransferSyntaxUID)
    if syntax == DeflatedExplicitVRLittleEndian:
        raise DeflatedDicom
    if syntax not in supported:
        raise TransferSyntaxUnsupported
    dataset = read_dataset(stream, *_ENCODINGS.get(syntax, (False, True)), specific_tags=list(_TAGS))
    dataset.file_meta = FileMetaDataset(meta)
    for element in dataset.elements():  # not parsed yet
        if element.tag != _PIXEL_DATA and _length(element) > _MAX_ELEMENT:
            raise NotDecodable
    return dataset


def _length(element: Any) -> int:
    """Bytes of an element not yet parsed; 0 for a parsed sequence, which BoundedReads has bounded already."""
    return len(element.value) if isinstance(element.value, bytes) else 0


@untrusted
def texts(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """The element's values in capitals without padding; () where it is absent or empty."""
    value = dataset.get(keyword)
    if value is None or value == "":
        return ()
    values = value if isinstance(value, MultiValue) else [value]
    return tuple(str(one).strip(" \0").upper() for one in values)


def text(dataset: Dataset, keyword: str) -> str:
    """The element's first value in capitals, "" where it is absent or empty."""
    return next(iter(texts(dataset, keyword)), "")


@untrusted
def numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """The element's finite values; () where it is absent or empty. NotDecodable on what is no number."""
    value = dataset.get(keyword)
    if value is None or value == "":
        return ()
    return tuple(number for number in map(float, _as_list(value)) if math.isfinite(number))


def integer(dataset: Dataset, keyword: str, default: int) -> int:
    """The element's first value, the default where it is absent or empty."""
    return int(next(iter(numbers(dataset, keyword)), default))


@untrusted
def codes(dataset: Dataset, keyword: str) -> frozenset[str]:
    """The code values of a sequence of coded concepts."""
    return frozenset(str(item.get("CodeValue", "")).strip() for item in dataset.get(keyword) or ())


@untrusted
def lut(dataset: Dataset, keyword: str) -> Lut | None:
    """The first item of a lookup-table sequence; None where there is none, or one without data."""
    items = dataset.get(keyword) or ()
    if not items or "LUTDescriptor" not in items[0] or "LUTData" not in items[0]:
        return None
    length, first, bits = (int(value) for value in _as_list(items[0].LUTDescriptor))
    if first > 0x7FFF and integer(dataset, "PixelRepresentation", 0) == 1:
        first -= 0x10000
    if not 1 <= bits <= 16:
        raise NotDecodable
    word = ">u2" if dataset.original_encoding[1] is False else "<u2"
    return Lut(first, bits, _entries(items[0].LUTData, (length & 0xFFFF) or 0x10000, word))


@untrusted
def has_value(dataset: Dataset, keyword: str) -> bool:
    """Whether the element is there and not empty; it is not parsed."""
    return keyword in dataset and bool(dataset.get_item(keyword).value)


def instance_uids(dataset: Dataset) -> InstanceUIDs:
    """The instance's UIDs, a file's only texts to be returned. What is not made like a UID is dropped."""
    keywords = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
    uids = (text(dataset, keyword) for keyword in keywords)
    return InstanceUIDs(*(uid if _UID.fullmatch(uid) else "" for uid in uids))


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, MultiValue | list | tuple) else [value]


def _entries(data: Any, length: int, word: str) -> NDArray[np.float64]:
    """A lookup table's entries: numbers, 16-bit words, or bytes where there is one for each entry."""
    if isinstance(data, bytes):
        entries = np.frombuffer(data, "u1" if len(data) <= length + 1 else word)
    else:
        entries = np.asarray(_as_list(data), np.int64) & 0xFFFF
    if len(entries) < length:
        raise NotDecodable
    return entries[:length].astype(np.float64)
