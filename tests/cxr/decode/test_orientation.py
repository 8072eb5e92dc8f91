"""Orientation, for images of any shape: pixels and points turn alike, and nothing is lost."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.decode.orientation import UPRIGHT, exif_orientation, stored_point, upright

ORIENTATIONS = st.integers(1, 8)
SIDES = st.integers(1, 9)
BACK = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
"""The orientation that undoes another."""


@given(SIDES, SIDES, ORIENTATIONS)
def test_turning_back_restores_an_image(height: int, width: int, orientation: int) -> None:
    pixels = np.arange(height * width).reshape(height, width)
    turned = upright(pixels, orientation)
    assert turned.shape == ((height, width) if orientation < 5 else (width, height))
    assert turned.flags.c_contiguous
    assert np.array_equal(upright(turned, BACK[orientation]), pixels)


@given(SIDES, SIDES, ORIENTATIONS, st.data())
def test_a_pixels_centre_is_found_where_it_was_stored(
    height: int, width: int, orientation: int, data: st.DataObject
) -> None:
    pixels = np.arange(height * width).reshape(height, width)
    turned = upright(pixels, orientation)
    row, column = (data.draw(st.integers(0, side - 1)) for side in turned.shape)
    x, y = stored_point(column + 0.5, row + 0.5, turned.shape[1], turned.shape[0], orientation)
    assert pixels[int(y), int(x)] == turned[row, column]
    assert (x % 1, y % 1) == (0.5, 0.5)


def block(order: str, value: int, start: int = 8, kind: int = 3, before: int = 0) -> bytes:
    """A TIFF header, a gap, and a directory of `before` other entries and the orientation, a SHORT by default."""
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", start)
    others = struct.pack(f"{order}HHIHH", 0x0100, 3, 1, 77, 0) * before
    entry = struct.pack(f"{order}HHIHH", 0x0112, kind, 1, value, 0)
    return head + bytes(start - 8) + struct.pack(f"{order}H", before + 1) + others + entry


@given(st.sampled_from("<>"), st.integers(0, 65_535), st.integers(8, 40), st.integers(0, 4))
def test_an_exif_orientation_is_read_wherever_its_directory_begins(
    order: str, value: int, start: int, before: int
) -> None:
    expected = value if 1 <= value <= 8 else UPRIGHT
    whole = block(order, value, start, before=before)
    assert exif_orientation(whole) == expected
    assert exif_orientation(b"Exif\0\0" + whole) == expected


@pytest.mark.parametrize("order", "<>")
def test_a_number_of_an_unknown_type_is_read_as_a_short(order: str) -> None:
    assert exif_orientation(block(order, 6, kind=99)) == 6


@given(st.sampled_from("<>"), st.integers(0, 33))
def test_a_block_that_ends_too_early_is_upright(order: str, length: int) -> None:
    """Its directory of two entries takes 26 bytes after the header of 8; the value lies in the last four."""
    assert exif_orientation(block(order, 6, before=1)[: min(length, 31)]) == UPRIGHT


@given(st.binary(max_size=60))
def test_any_bytes_have_an_orientation(data: bytes) -> None:
    assert 1 <= exif_orientation(data) <= 8
