"""What a file says of its stored values: bits, rescaling, windows and padding, element by element."""

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from cxr.decode.dicom.elements import read
from cxr.decode.dicom.meaning import MODALITY_LUT, RESCALE, SHAPE, meaning, stored_bits
from cxr.decode.dicom.pixels import SUPPORTED_SYNTAXES
from cxr.decode.dicom.stored_bits import StoredBits
from cxr.decode.dicom.voi import Lut, Window
from tests import files
from tests.cxr.decode.scenes import table

BITS = StoredBits(16, 12)


def said(**elements: Any) -> Dataset:
    """A dataset of these elements, of MONOCHROME2 unless they say otherwise."""
    dataset = Dataset()
    for keyword, value in {"PhotometricInterpretation": "MONOCHROME2", **elements}.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.mark.parametrize(
    ("elements", "precision", "expected"),
    [
        ({}, None, StoredBits(16, 16)),
        ({"BitsStored": 12}, None, StoredBits(16, 12)),
        ({"BitsStored": 12, "HighBit": 15}, None, StoredBits(16, 12, 4)),
        ({"BitsStored": 12, "HighBit": 11}, None, StoredBits(16, 12)),
        ({"BitsStored": 12, "HighBit": 16}, None, StoredBits(16, 12)),  # beyond the word
        ({"BitsStored": 12, "HighBit": 10}, None, StoredBits(16, 12)),  # before it
        ({"BitsStored": 12, "HighBit": 15}, 12, StoredBits(16, 12)),  # of a codestream of 12 bits
        ({"BitsStored": 12, "HighBit": 15}, 13, StoredBits(16, 12, 1)),
        ({"BitsStored": 0}, None, StoredBits(16, 16)),
        ({"BitsStored": 17}, None, StoredBits(16, 16)),
        ({"BitsStored": 1, "HighBit": 0}, None, StoredBits(16, 1)),
        ({"PixelRepresentation": 1}, None, StoredBits(16, 16, signed=True)),
        ({"PixelRepresentation": 0}, None, StoredBits(16, 16)),
    ],
)
def test_where_the_value_lies(elements: dict[str, int], precision: int | None, expected: StoredBits) -> None:
    assert stored_bits(said(**elements), 16, precision) == expected


@pytest.mark.parametrize(
    ("slope", "intercept", "used", "complete"),
    [
        (None, None, (1, 0), True),
        ("2", "-5", (2, -5), True),
        ("2", "0", (2, 0), True),
        ("2", None, (2, 0), False),
        (None, "-5", (1, -5), False),
        ("0", "-5", (1, -5), False),
        ("0", None, (1, 0), False),
        ("1", "0", (1, 0), True),
    ],
)
def test_a_rescaling_counts_where_both_values_are_usable(
    slope: str | None, intercept: str | None, used: tuple[float, float], complete: bool
) -> None:
    stated = {"RescaleSlope": slope, "RescaleIntercept": intercept}
    data = files.changed(files.small_radiograph_dicom(), **stated)
    greyscale, warnings = meaning(read(data, SUPPORTED_SYNTAXES), BITS)
    assert greyscale.modality == used
    assert (RESCALE in warnings) is not complete


def test_a_modality_table_needs_no_rescaling_and_one_that_is_unreadable_is_told() -> None:
    dataset = said(ModalityLUTSequence=table(0, 16, np.arange(4)), RescaleSlope="2")
    greyscale, warnings = meaning(dataset, BITS)
    assert isinstance(greyscale.modality, Lut)
    assert warnings == ()
    dataset.ModalityLUTSequence[0].LUTDescriptor = [4]
    greyscale, warnings = meaning(dataset, BITS)
    assert greyscale.modality == (2, 0)
    assert warnings == (RESCALE, MODALITY_LUT)


@pytest.mark.parametrize(
    ("elements", "first"),
    [
        ({}, 0xFFF0),
        ({"RescaleSlope": "1", "RescaleIntercept": "-1"}, -16),
        ({"RescaleSlope": "-1", "RescaleIntercept": "4094"}, -16),  # 4095 becomes -1
        ({"RescaleSlope": "-1", "RescaleIntercept": "4095"}, 0xFFF0),
        ({"ModalityLUTSequence": table(0, 16, np.arange(4)), "RescaleIntercept": "-5000"}, 0xFFF0),
    ],
)
def test_a_tables_first_value_is_signed_where_values_may_be_negative(elements: dict[str, Any], first: int) -> None:
    greyscale, _ = meaning(said(VOILUTSequence=table(0xFFF0, 8, np.arange(4)), **elements), BITS)
    (voi,) = greyscale.voi
    assert isinstance(voi, Lut)
    assert voi.first == first


def test_windows_are_taken_in_order_and_four_at_the_most() -> None:
    numbers = [str(number) for number in (10, 20, 30, 40, 50)]
    greyscale, _ = meaning(said(WindowCenter=numbers, WindowWidth=numbers), BITS)
    assert greyscale.voi == tuple(Window(number, number) for number in (10, 20, 30, 40))
    assert meaning(said(WindowCenter="10", WindowWidth="0"), BITS)[0].voi == (None,)
    assert meaning(said(), BITS)[0].voi == ()


def test_padding_is_the_first_value_with_the_first_limit() -> None:
    assert meaning(said(PixelPaddingValue=[5, 9]), BITS)[0].padding == (5,)
    assert meaning(said(PixelPaddingValue=5, PixelPaddingRangeLimit=[7, 9]), BITS)[0].padding == (5, 7)
    assert meaning(said(PixelPaddingRangeLimit=7), BITS)[0].padding == ()


@pytest.mark.parametrize(
    ("photometric", "shape", "inverse", "told"),
    [
        ("MONOCHROME1", "INVERSE", True, False),
        ("MONOCHROME1", "IDENTITY", True, True),
        ("MONOCHROME2", "INVERSE", False, True),
        ("MONOCHROME2", "IDENTITY", False, False),
        ("MONOCHROME2", "NOTHING", False, False),
    ],
)
def test_a_shape_that_contradicts_is_told(photometric: str, shape: str, inverse: bool, told: bool) -> None:
    dataset = said(PhotometricInterpretation=photometric, PresentationLUTShape=shape)
    greyscale, warnings = meaning(dataset, BITS)
    assert greyscale.inverse is inverse
    assert (SHAPE in warnings) is told
