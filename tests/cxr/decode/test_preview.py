"""A preview with its own window equals the classified picture. It is upright and limited in size; the same files are
refused.
"""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from cxr.decode import Preview, decode, preview
from cxr.decode.dicom.acceptance import preview_dicom
from cxr.decode.preview import LONGEST, Windowed, preview_of
from cxr.errors import LateralView, NotDecodable, TooSmall, UniformImage
from tests import files
from tests.cxr.decode.dicom.greyscale_cases import CASES
from tests.cxr.decode.scenes import Picture


def through_window(seen: Preview) -> Picture:
    """[h, w], 0 to 255, as a screen shows it with the initial window."""
    grey: Picture = np.clip((seen.values - seen.low) / (seen.high - seen.low), 0, 1) * 255
    return 255 - grey if seen.inverted else grey


@pytest.mark.parametrize("kind", CASES)
def test_it_shows_what_is_classified(kind: str) -> None:
    files_of_a_kind = {name: case.build() for name, case in CASES[kind].items()}
    wrong = [name for name, data in files_of_a_kind.items() if not is_shown(data)]
    assert wrong == []


def is_shown(data: bytes) -> bool:
    return bool(np.abs(through_window(preview(data)) - decode(data).pixels).max() <= 1)


@pytest.mark.parametrize(
    "build",
    [
        files.radiograph_dicom,
        files.radiograph_png,
        files.radiograph_jpeg,
        lambda: files.png(np.arange(64_000, dtype=np.uint16).reshape(250, 256)),
        lambda: files.radiograph_dicom(PatientOrientation=["R", "F"]),
    ],
    ids=["DICOM", "PNG", "JPEG", "PNG of 16 bits", "mirrored DICOM"],
)
def test_it_equals_the_classified_image_of_real_files(build: Callable[[], bytes]) -> None:
    data = build()
    seen, radiograph = preview(data), decode(data)
    assert seen.turned == radiograph.turned
    assert seen.scale == 1
    assert np.abs(through_window(seen) - radiograph.pixels).max() <= 1


def test_values_outside_the_window_are_kept() -> None:
    seen = preview(
        files.radiograph_dicom(WindowCenter=10_000, WindowWidth=8_000, PhotometricInterpretation="MONOCHROME2")
    )
    assert (seen.low, seen.high, seen.inverted) == (6_000, 13_999, False)
    assert seen.values.max() > 14_000
    assert seen.values.min() < 6_000


def test_values_that_are_not_16_bit_integers_are_stretched() -> None:
    rescaled = preview(files.radiograph_dicom(RescaleSlope="0.0001", RescaleIntercept="-3", WindowCenter=None))
    assert (rescaled.values.min(), rescaled.values.max()) == (0, 65_535)
    assert len(np.unique(rescaled.values)) > 1_000


def test_an_upright_picture_of_one_that_is_stored_turned() -> None:
    image = Image.fromarray(decode(files.radiograph_png()).pixels).resize((300, 200))
    exif = Image.Exif()
    exif[0x0112] = 6
    seen = preview(files.encoded(image, "JPEG", exif=exif))
    assert seen.values.shape == (300, 200)
    assert seen.turned == 6


def test_a_large_one_is_shrunk_by_a_whole_number() -> None:
    seen = preview(files.large_radiograph_dicom())
    assert seen.values.shape == (2140, 1760)
    assert seen.scale == 2
    whole = preview_of(Windowed(np.arange(2 * (LONGEST + 1) * 64, dtype=np.uint16).reshape(64, -1), 0, 1, False), 1)
    assert whole.values.shape == (21, 2 * (LONGEST + 1) // 3)
    assert whole.values[0, 0] == np.mean([[row * 5122 + column for column in range(3)] for row in range(3)]).astype(int)


def test_the_decoder_sends_what_it_makes() -> None:
    there, here = preview(files.small_radiograph_dicom()), preview_dicom(files.small_radiograph_dicom())
    assert np.array_equal(there.values, here.values)
    assert (there.low, there.high, there.inverted, there.turned) == (here.low, here.high, here.inverted, here.turned)


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (files.lateral_dicom(), LateralView),
        (files.truncated_jpeg(), NotDecodable),
        (files.text_file(), NotDecodable),
        (files.synthetic_dicom(np.full((200, 200), 7, np.uint16)), UniformImage),
        (files.png(np.arange(63 * 99, dtype=np.uint8).reshape(63, 99)), TooSmall),
    ],
    ids=["lateral", "truncated", "text", "uniform", "small"],
)
def test_refused_as_by_the_classification(data: bytes, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        preview(data)
