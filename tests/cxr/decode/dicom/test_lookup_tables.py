"""Lookup tables by their data: words, bytes, two entries to a word, and where the first entry stands."""

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from cxr.decode.dicom.lookup_tables import _entries, luts
from tests.cxr.decode.scenes import table


@pytest.mark.parametrize(
    ("data", "length", "expected"),
    [
        (b"\1\0\2\0\3\0", 3, [1, 2, 3]),
        (b"\1\0\2\0\3\0", 2, [1, 2]),
        (b"\1\2\3", 3, [1, 2, 3]),  # bytes
        (b"\1\2\3", 2, [1, 2]),
        (b"\1\2\3\4\5\6", 6, [1, 2, 3, 4, 5, 6]),  # two entries to a word
        (b"\1\2\3\4\5\6", 5, [1, 2, 3, 4, 5]),
        (b"\1\2\3\4\5\6", 4, [0x201, 0x403, 0x605]),  # fewer than it says
        (b"\1\2\3\4\5\6", 7, [0x201, 0x403, 0x605]),
        ([1, -1], 2, [1, 65_535]),
        (7, 1, [7]),
    ],
)
def test_entries_are_words_or_bytes(data: Any, length: int, expected: list[int]) -> None:
    found = _entries(data, length, "<u2")
    assert found.tolist() == expected
    assert found.dtype == np.float64


def test_words_may_be_in_the_other_order() -> None:
    assert _entries(b"\1\0\2\0", 2, ">u2").tolist() == [256, 512]


@pytest.mark.parametrize(("stated", "signed", "first"), [
    (0x7FFF, True, 0x7FFF), (0x8000, True, -0x8000), (0x8000, False, 0x8000), (0xFFFF, True, -1), (0, True, 0),
])  # fmt: skip
def test_the_first_value_has_a_sign_where_inputs_may_be_negative(stated: int, signed: bool, first: int) -> None:
    dataset = Dataset()
    dataset.VOILUTSequence = table(stated, 8, np.arange(4))
    (found,) = luts(dataset, "VOILUTSequence", signed)
    assert found is not None
    assert found.first == first


def test_four_tables_are_read_and_an_empty_one_is_none() -> None:
    dataset = Dataset()
    dataset.VOILUTSequence = [table(0, 8, np.arange(4))[0] for _ in range(5)]
    assert len(luts(dataset, "VOILUTSequence", False)) == 4
    dataset.VOILUTSequence[0].LUTData = b""
    assert luts(dataset, "VOILUTSequence", False)[0] is None
    assert luts(Dataset(), "VOILUTSequence", False) == ()


def test_a_length_of_zero_is_65_536() -> None:
    dataset = Dataset()
    dataset.VOILUTSequence = table(0, 16, np.arange(4))
    dataset.VOILUTSequence[0].LUTDescriptor = [0, 0, 16]
    dataset.VOILUTSequence[0].LUTData = np.arange(65_536).astype("<u2").tobytes()
    (found,) = luts(dataset, "VOILUTSequence", False)
    assert found is not None
    assert len(found.entries) == 65_536
