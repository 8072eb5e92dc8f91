"""From stored words to grey, without a file: padding is black, windows must show the image, few pixels may decide."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cxr.decode.dicom.greyscale import Greyscale, to_grey, to_windowed
from cxr.decode.dicom.stored_bits import StoredBits
from cxr.decode.dicom.voi import Lut, Window
from cxr.errors import UniformImage

WORDS = StoredBits(16, 16)
RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)


def sparse(side: int = 256) -> NDArray[np.uint16]:
    """Zeros, but for every fourth pixel, of odd row and column: those that a sample of every second does not see."""
    stored = np.zeros((side, side), np.uint16)
    stored[1::2, 1::2] = 1000 + np.arange((side // 2) ** 2).reshape(side // 2, -1)
    return stored


def test_padding_is_black_and_no_value_of_the_image() -> None:
    stored = RAMP.copy()
    stored[:8] = 60_000
    grey = to_grey(stored, Greyscale(WORDS, padding=(60_000,)))
    assert not grey.pixels[:8].any()
    assert grey.pixels[8:].min() == 0
    assert grey.pixels[8:].max() == 255
    inverse = to_grey(stored, Greyscale(WORDS, padding=(60_000,), inverse=True))
    assert not inverse.pixels[:8].any()
    assert np.array_equal(inverse.pixels[8:], 255 - grey.pixels[8:])
    shown = to_windowed(stored, Greyscale(WORDS, padding=(60_000,), inverse=True))
    assert (shown.values[:8] == 65_535).all()


def test_padding_stays_padding_where_the_few_other_pixels_lie_beside_the_sample() -> None:
    stored = sparse()
    grey = to_grey(stored, Greyscale(WORDS, padding=(0,)))
    assert not grey.pixels[stored == 0].any()
    assert np.ptp(grey.pixels[stored > 0]) == 255


def test_an_image_that_is_all_padding_is_shown_as_it_is() -> None:
    grey = to_grey(RAMP, Greyscale(WORDS, padding=(0, 65_535)))
    assert np.array_equal(grey.pixels, to_grey(RAMP, Greyscale(WORDS)).pixels)


def test_an_image_is_alike_only_where_all_its_pixels_are() -> None:
    assert np.ptp(to_grey(sparse(), Greyscale(WORDS)).pixels) == 255
    with pytest.raises(UniformImage):
        to_grey(np.zeros((256, 256), np.uint16), Greyscale(WORDS))


@pytest.mark.parametrize(
    ("window", "believed"),
    [
        (Window(2048, 4096), True),
        (Window(2048, 60_000), False),  # all of it is nearly one grey
        (Window(60_000, 100), False),  # black
        (Window(-5000, 100), False),  # white
        (Window(4070, 50), False),  # white is 1.2 % of it
        (Window(3950, 50), True),  # white are 3 %
        (Window(25, 50), False),  # black is 1.2 %
        (Window(150, 50), True),
    ],
)
def test_a_window_is_believed_where_it_shows_the_image(window: Window, believed: bool) -> None:
    grey = to_grey(RAMP, Greyscale(WORDS, voi=(window,)))
    assert grey.believed is believed
    expected = window if believed else None
    plain = to_grey(RAMP, Greyscale(WORDS)).pixels
    assert np.array_equal(grey.pixels, plain) is (expected is None)


def test_the_first_is_believed_and_the_second_taken() -> None:
    second = to_grey(RAMP, Greyscale(WORDS, voi=(None, Window(2048, 4096))))
    assert not second.believed
    assert np.array_equal(second.pixels, to_grey(RAMP, Greyscale(WORDS, voi=(Window(2048, 4096),))).pixels)
    assert to_grey(RAMP, Greyscale(WORDS)).believed


@pytest.mark.parametrize("least", [0, 1000])
def test_values_of_16_bits_are_shown_as_they_are_up_to_the_last(least: int) -> None:
    stored = np.linspace(least, 65_535, 4096).astype(np.uint16).reshape(64, 64)
    shown = to_windowed(stored, Greyscale(WORDS, voi=(Window(30_000, 20_000),)))
    assert np.array_equal(shown.values, stored)
    assert (shown.low, shown.high) == (20_000, 39_999)
    assert not shown.inverted


def test_other_values_are_stretched_to_16_bits_and_their_window_with_them() -> None:
    shown = to_windowed(RAMP, Greyscale(WORDS, modality=(0.5, -100), voi=(Window(400.5, 601),)))
    assert (shown.values.min(), shown.values.max()) == (0, 65_535)
    slope = 65_535 / (0.5 * 4095)
    assert (shown.low, shown.high) == pytest.approx(((100 + 100) * slope, (700 + 100) * slope))


def test_a_table_or_a_sigmoid_is_shown_as_its_grey() -> None:
    table = Lut(0, np.arange(4096, dtype=np.float64)[::-1])
    for voi, within in ((table, 0), (Window(2048, 1000, "SIGMOID"), 50)):  # which reaches neither black nor white
        shown = to_windowed(RAMP, Greyscale(WORDS, voi=(voi,)))
        assert (shown.low, shown.high) == pytest.approx((0, 65_535), abs=within)
        grey: Any = voi.grey(RAMP.astype(np.float64))
        assert np.abs(shown.values / 257 - grey).max() < 0.6


def test_what_a_shutter_covers_is_black_and_counts_for_nothing() -> None:
    stored, uncovered = RAMP.copy(), np.ones((64, 64), bool)
    stored[:, :8], uncovered[:, :8] = 65_535, False
    grey = to_grey(stored, Greyscale(WORDS), uncovered)
    assert not grey.pixels[:, :8].any()
    assert grey.pixels[:, 8:].max() == 255
    assert (to_windowed(stored, Greyscale(WORDS, inverse=True), uncovered).values[:, :8] == 65_535).all()
