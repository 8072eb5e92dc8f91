"""Stored bits: every word's value, and the words that padding means."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.decode.dicom.stored_bits import StoredBits, padded


@st.composite
def layouts(draw: st.DrawFn) -> StoredBits:
    stored = draw(st.integers(1, 8))
    return StoredBits(8, stored, draw(st.integers(0, 8 - stored)), draw(st.booleans()))


@given(layouts(), st.integers(0, 255))
def test_a_words_value_depends_only_on_its_stored_bits(bits: StoredBits, word: int) -> None:
    written = f"{word:08b}"
    digits = written[8 - bits.shift - bits.stored : 8 - bits.shift]
    value = int(digits, 2) - ((1 << bits.stored) if bits.signed and digits[0] == "1" else 0)
    assert bits.values()[word] == value
    assert bits.lowest <= value <= bits.highest


@given(layouts())
def test_the_ends_of_the_range_are_reached(bits: StoredBits) -> None:
    values = bits.values()
    assert (values.min(), values.max()) == (bits.lowest, bits.highest)
    assert len(np.unique(values)) == 1 << bits.stored
    assert len(values) == 256


UNSIGNED, SIGNED = StoredBits(8, 8), StoredBits(8, 8, signed=True)


@pytest.mark.parametrize(
    ("bits", "ends", "words"),
    [
        (UNSIGNED, (), []),
        (UNSIGNED, (0,), [0]),
        (UNSIGNED, (255,), [255]),
        (UNSIGNED, (3, 5), [3, 4, 5]),
        (UNSIGNED, (5, 3), [3, 4, 5]),
        (UNSIGNED, (-1,), [255]),  # written with a sign
        (SIGNED, (-128,), [128]),
        (SIGNED, (-1, 1), [0, 1, 255]),
        (SIGNED, (255,), [255]),  # written without one
        (StoredBits(8, 4), (2,), [word for word in range(256) if word % 16 == 2]),
        (StoredBits(8, 4), (0xF2,), [0xF2]),  # too large for a value: the whole word
        (StoredBits(8, 4, 4), (2,), list(range(0x20, 0x30))),
        (StoredBits(8, 4, signed=True), (-8,), [word for word in range(256) if word % 16 == 8]),
        (StoredBits(8, 4, signed=True), (0xFE,), [word for word in range(256) if word % 16 == 14]),  # -2, as a word
        (StoredBits(8, 4), (2 - 256,), [word for word in range(256) if word % 16 == 2]),
    ],
)
def test_padding_is_a_value_or_a_range_of_them(bits: StoredBits, ends: tuple[int, ...], words: list[int]) -> None:
    assert np.flatnonzero(padded(bits, ends)).tolist() == words
