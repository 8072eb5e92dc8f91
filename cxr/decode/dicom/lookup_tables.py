"""Read a DICOM file's lookup tables by their data, even where their descriptors are wrong."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from cxr.decode.dicom.elements import as_list
from cxr.decode.dicom.voi import Lut
from cxr.decode.guards import untrusted
from cxr.errors import NotDecodable

_MAX_TABLES: Final = 4


def luts(dataset: Dataset, keyword: str, signed: bool) -> tuple[Lut | None, ...]:
    """The first tables of a sequence, at most four; None for a table that cannot be read.

    signed: whether inputs may be negative. This, and not the VR, decides how the descriptor's second value is read
    (PS3.3 C.11.1.1.1 and C.11.2.1.1).
    """
    return tuple(_lut(item, dataset, signed) for item in _items(dataset, keyword))


@untrusted
def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    return list(dataset.get(keyword) or ())[:_MAX_TABLES]


def _lut(item: Dataset, dataset: Dataset, signed: bool) -> Lut | None:
    try:
        return _read(item, ">u2" if dataset.original_encoding[1] is False else "<u2", signed)
    except NotDecodable:
        return None


@untrusted
def _read(item: Dataset, word: str, signed: bool) -> Lut:
    length, first = (int(value) & 0xFFFF for value in as_list(item.LUTDescriptor)[:2])
    if signed and first > 0x7FFF:
        first -= 0x10000
    entries = _entries(item.LUTData, length or 0x10000, word)
    if not len(entries):
        raise NotDecodable
    return Lut(first, entries)


def _entries(data: Any, length: int, word: str) -> NDArray[np.float64]:
    """The entries, as many as the descriptor says or as exist: words, or bytes if there is one byte per entry."""
    if isinstance(data, bytes) and len(data) % 2:
        return np.frombuffer(data, "u1")[:length].astype(np.float64)
    words = np.frombuffer(data, word) if isinstance(data, bytes) else np.asarray(as_list(data), np.int64) & 0xFFFF
    if len(words) < length <= 2 * len(words) <= length + 1:  # each word has two entries, the lower byte first
        words = np.stack([words & 0xFF, words >> 8], 1).reshape(-1)
    return words[:length].astype(np.float64)
