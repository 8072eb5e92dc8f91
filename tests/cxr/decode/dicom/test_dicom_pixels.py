"""DICOM: the pipeline's steps run in the right order and give the same grey values as pydicom."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import uid
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

from cxr.decode import decode
from cxr.errors import UniformImage
from tests import files
from tests.cxr.decode.dicoms import lut_item

GRADIENT = np.arange(4096, dtype=np.uint16).reshape(64, 64) * 4


def pixels(stored: NDArray[Any], **elements: Any) -> NDArray[np.uint8]:
    return decode(files.synthetic_dicom(stored, **elements)).pixels


def test_without_a_window_the_percentiles_are_black_and_white() -> None:
    stored = np.random.default_rng(0).normal(9_000, 2_000, (200, 300)).clip(0, 65_535).astype(np.uint16)
    low, high = np.percentile(stored, [0.5, 99.5])
    assert np.array_equal(pixels(stored), np.rint(np.clip((stored - low) / (high - low), 0, 1) * 255))


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID", ""])
@pytest.mark.parametrize("rescale", [{}, {"RescaleSlope": "0.5", "RescaleIntercept": "-100"}])
def test_windows_agree_with_pydicom(function: str, rescale: dict[str, str]) -> None:
    elements = {"WindowCenter": "3000", "WindowWidth": "2500", "VOILUTFunction": function} | rescale
    data = files.synthetic_dicom(GRADIENT, **elements)
    dataset = files.parse(data)
    if not function:
        del dataset.VOILUTFunction
    windowed = apply_voi_lut(apply_modality_lut(GRADIENT, dataset), dataset)
    lowest, highest = (65_535 * 0.5 * end - 100 * bool(rescale) if rescale else 65_535 * end for end in (0, 1))
    expected = (windowed - lowest) / (highest - lowest) * 255
    assert np.abs(decode(data).pixels - expected).max() <= 0.5 + 1e-6


def test_the_first_of_several_windows_counts() -> None:
    first = pixels(GRADIENT, WindowCenter="3000", WindowWidth="2500")
    assert np.array_equal(pixels(GRADIENT, WindowCenter=["3000", "9000"], WindowWidth=["2500", "10"]), first)


@pytest.mark.parametrize("width", ["0", "0.5", "-20"])
def test_a_window_narrower_than_one_is_ignored(width: str) -> None:
    assert np.array_equal(pixels(GRADIENT, WindowCenter="3000", WindowWidth=width), pixels(GRADIENT))


def test_a_window_of_width_one_is_a_threshold() -> None:
    stored = np.array([[7, 8, 9, 10]], np.uint16)
    assert pixels(stored, WindowCenter="9", WindowWidth="1").tolist() == [[0, 0, 255, 255]]


def test_a_voi_lut_beats_a_window() -> None:
    stored = np.array([[0, 10, 11, 12, 500]], np.uint16)
    table = lut_item(first=10, bits=12, entries=[0, 4095, 2048])
    grey = pixels(stored, VOILUTSequence=table, WindowCenter="3000", WindowWidth="2500")
    assert grey.tolist() == [[0, 0, 255, 128, 128]]


def test_a_modality_lut_comes_before_the_window() -> None:
    stored = np.array([[0, 1, 2, 3]], np.uint16)
    table = lut_item(first=0, bits=16, entries=[3000, 1000, 2000, 2500])
    grey = pixels(stored, ModalityLUTSequence=table, WindowCenter="2000.5", WindowWidth="2001")
    assert grey.tolist() == [[255, 0, 128, 191]]


@pytest.mark.parametrize(("name", "bits"), [("vlut_04.dcm", 8), ("mlut_18.dcm", 8)])
def test_published_tables_agree_with_pydicom(name: str, bits: int) -> None:
    dataset = files.parse(files.sample(name))
    mapped = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset)
    radiograph = decode(files.sample(name))
    if "VOILUTSequence" in dataset:
        bits = dataset.VOILUTSequence[0].LUTDescriptor[2]
        assert np.array_equal(radiograph.pixels, np.rint(mapped * (255 / (2**bits - 1))))
    else:
        assert np.corrcoef(radiograph.pixels.ravel(), mapped.ravel())[0, 1] > 0.999


@pytest.mark.parametrize(
    "elements",
    [
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"},
        {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "IDENTITY"},
    ],
)
def test_it_is_inverted_once(elements: dict[str, str]) -> None:
    window = {"WindowCenter": "8000", "WindowWidth": "6000"}
    assert np.array_equal(pixels(GRADIENT, **window, **elements), 255 - pixels(GRADIENT, **window))


def test_signed_pixels() -> None:
    stored = np.array([[-1000, 0, 1000]], np.int16)
    assert pixels(stored, WindowCenter="0.5", WindowWidth="2001").tolist() == [[0, 128, 255]]
    assert pixels(stored).tolist() == [[0, 128, 255]]


def test_8_bits_are_windowed_like_16() -> None:
    eight = (GRADIENT >> 6).astype(np.uint8)
    assert np.array_equal(pixels(eight), pixels(eight.astype(np.uint16)))


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian])
@pytest.mark.parametrize(
    ("filling", "elements"),
    [
        (65_535, {"PixelPaddingValue": 65_535}),
        (60_003, {"PixelPaddingValue": 60_000, "PixelPaddingRangeLimit": 60_010}),
        (60_003, {"PixelPaddingValue": 60_010, "PixelPaddingRangeLimit": 60_000}),
    ],
)
def test_padding_does_not_count_for_the_percentiles(filling: int, elements: dict[str, int], syntax: uid.UID) -> None:
    stored = np.pad(GRADIENT, 30, constant_values=filling)
    dataset = files.parse(files.synthetic_dicom(stored, **elements))
    dataset.file_meta.TransferSyntaxUID = syntax
    assert np.array_equal(decode(files.part10(dataset)).pixels[30:-30, 30:-30], pixels(GRADIENT))


def test_signed_padding() -> None:
    stored = np.pad(GRADIENT.astype(np.int16), 30, constant_values=-2000)
    assert np.array_equal(pixels(stored, PixelPaddingValue=-2000)[30:-30, 30:-30], pixels(GRADIENT))


NEARLY_ALIKE = np.where(np.arange(10_000).reshape(100, 100) % 70 == 0, 900, 500 + np.arange(100) % 2).astype(np.uint16)


@pytest.mark.parametrize("elements", [{}, {"PixelPaddingValue": 5}, {"WindowCenter": "5", "WindowWidth": "9"}])
@pytest.mark.parametrize(
    "stored",
    [
        np.full((90, 90), 5, np.uint16),
        np.full((90, 90), 5, np.uint8),
        NEARLY_ALIKE,
        np.kron(NEARLY_ALIKE, np.ones((9, 9), np.uint16)),
    ],
    ids=["alike", "8 bits", "nearly alike", "large"],
)
def test_an_image_that_shows_nothing_is_refused(stored: NDArray[Any], elements: dict[str, Any]) -> None:
    with pytest.raises(UniformImage):
        pixels(stored, **elements)


def test_padding_shows_nothing() -> None:
    framed = np.pad(np.full((40, 40), 900, np.uint16), 50, constant_values=5)
    assert np.ptp(pixels(framed)) == 255
    with pytest.raises(UniformImage):
        pixels(framed, PixelPaddingValue=5)


def test_a_colour_image_that_shows_nothing_is_refused() -> None:
    with pytest.raises(UniformImage):
        pixels(np.full((90, 90, 3), (200, 100, 0), np.uint8))


def test_a_pixel_spacing_of_zero_is_ignored() -> None:
    assert np.array_equal(pixels(GRADIENT, PixelSpacing=["0.000", "0.000"]), pixels(GRADIENT))


def test_infinite_numbers_do_no_harm() -> None:
    grey = pixels(GRADIENT, RescaleSlope="1E308", RescaleIntercept="-1E308")
    assert grey.shape == GRADIENT.shape


def test_a_table_of_large_values_without_a_sign_begins_where_it_says() -> None:
    stored = np.tile(np.arange(40_000, 40_256, dtype=np.uint16), (256, 1))
    data = files.synthetic_dicom(stored, VOILUTSequence=lut_item(40_000, 8, list(range(255, -1, -1))))
    radiograph = decode(data)
    assert np.array_equal(radiograph.pixels, 255 - (stored - 40_000))
    assert radiograph.warnings == decode(files.synthetic_dicom(stored)).warnings
