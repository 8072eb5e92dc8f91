"""PNG and JPEG: decoding gives the grey image that a person would see."""

import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from cxr import errors
from cxr.decode import Radiograph, decode
from cxr.decode.orientation import upright
from cxr.errors import Refusal
from tests import files
from tests.fuzz import check_damaged

RAMP = np.arange(200, dtype=np.uint8).reshape(10, 20)


def exif(orientation: int) -> bytes:
    block = Image.Exif()
    block[0x0112] = orientation
    return block.tobytes()


def opencv_png(pixels: NDArray[np.uint16]) -> bytes:
    return bytes(cv2.imencode(".png", pixels)[1])


# --- Decoded pixels


def test_an_8_bit_grey_png_is_not_changed() -> None:
    radiograph = decode(files.png(RAMP))
    assert np.array_equal(radiograph.pixels, RAMP)
    assert radiograph.pixels.dtype == np.uint8
    assert radiograph.pixels.flags.c_contiguous
    assert (radiograph.media_type, radiograph.instance, radiograph.warnings) == ("image/png", None, ())


def test_a_grey_jpeg_is_what_another_decoder_reads() -> None:
    data = files.radiograph_jpeg()
    radiograph = decode(data)
    assert radiograph.media_type == "image/jpeg"
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert np.array_equal(radiograph.pixels, np.asarray(expected))


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(np.stack([RAMP] * 3, -1)),
        Image.fromarray(np.dstack([RAMP] * 3 + [np.full_like(RAMP, 255)])),
        Image.fromarray(np.dstack([RAMP, np.full_like(RAMP, 255)]), "LA"),
        Image.fromarray(RAMP).convert("P"),
    ],
    ids=lambda image: image.mode,
)
def test_grey_stored_as_colour_is_not_changed(image: Image.Image) -> None:
    assert np.array_equal(decode(files.encoded(image, "PNG")).pixels, RAMP)


def test_colour_becomes_its_luminance() -> None:
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    assert decode(files.png(colours)).pixels.tolist() == [[76, 150, 29]]


def test_a_palette_is_looked_up() -> None:
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    image.putpalette([255, 255, 255, 9, 9, 9, 255, 0, 0])
    assert decode(files.encoded(image, "PNG")).pixels.tolist() == [[255, 9, 76]]


def test_transparent_pixels_are_black() -> None:
    rgba = np.array([[[200, 200, 200, 0], [200, 200, 200, 128], [200, 200, 200, 255]]], np.uint8)
    black, half, opaque = decode(files.png(rgba)).pixels[0]
    assert (black, opaque) == (0, 200)
    assert abs(int(half) - 100) <= 1


def test_a_transparent_palette_entry_is_black() -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    image.putpalette([255, 255, 255, 90, 90, 90])
    assert decode(files.encoded(image, "PNG", transparency=0)).pixels.tolist() == [[0, 90]]


def test_one_bit_is_black_and_white() -> None:
    assert (
        decode(files.encoded(Image.fromarray(RAMP >= 100), "PNG")).pixels.tolist() == [[0] * 20] * 5 + [[255] * 20] * 5
    )


def test_cmyk_jpeg_is_dark_where_there_is_ink() -> None:
    inks = np.zeros((16, 16, 4), np.uint8)
    inks[:, 8:, 3] = 255
    pixels = decode(files.encoded(Image.fromarray(inks, "CMYK"), "JPEG", quality=100)).pixels
    assert pixels[:, :8].min() > 250
    assert pixels[:, 8:].max() < 5


def test_16_bit_png_is_windowed_by_percentiles() -> None:
    deep = np.random.default_rng(0).normal(30_000, 4_000, (300, 300)).clip(0, 65_535).astype(np.uint16)
    low, high = np.percentile(deep, [0.5, 99.5])
    expected = np.rint(np.clip((deep - low) / (high - low), 0, 1) * 255)
    assert np.array_equal(decode(opencv_png(deep)).pixels, expected)


DEEP = np.random.default_rng(0).normal(2_000, 300, (300, 280)).clip(0, 4095).astype(np.uint16)


def windowed(deep: NDArray[Any]) -> NDArray[Any]:
    low, high = np.percentile(deep, [0.5, 99.5])
    return np.asarray(np.clip((deep - low) / (high - low), 0, 1) * 255)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("colour", ["grey", "grey with alpha", "colour", "colour with alpha"])
def test_12_bits_in_a_16_bit_png_are_windowed(colour: str, interlaced: bool) -> None:
    opaque = np.full_like(DEEP, 65_535)
    channels = {
        "grey": [DEEP],
        "grey with alpha": [DEEP, opaque],
        "colour": [DEEP] * 3,
        "colour with alpha": [DEEP] * 3 + [opaque],
    }[colour]
    pixels = decode(files.deep_png(np.dstack(channels), interlaced)).pixels
    assert np.abs(pixels - windowed(DEEP)).max() <= 1


def test_deep_colour_becomes_its_luminance() -> None:
    channels = np.stack([DEEP, np.roll(DEEP, 7), np.roll(DEEP, 99)], -1)
    expected = windowed(channels @ np.array([0.299, 0.587, 0.114]))
    assert np.abs(decode(files.deep_png(channels)).pixels - expected).max() <= 1


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_transparent_in_16_bits_is_black_and_counts_for_no_percentile(channels: int) -> None:
    alpha = np.where(np.arange(280) < 100, 0, 65_535).astype(np.uint16) * np.ones_like(DEEP)
    alpha[:, 200:] = 32_768
    pixels = decode(files.deep_png(np.dstack([np.where(alpha, DEEP, 65_535)] * channels + [alpha]))).pixels
    assert pixels[:, :100].max() == 0
    expected = windowed(DEEP[:, 100:])
    expected[:, 100:] /= 2
    assert np.abs(pixels[:, 100:] - expected).max() <= 1


def test_black_in_16_bits_of_colour_is_black_and_white_white() -> None:
    ramp = np.linspace(0, 65_535, 90 * 80).astype(np.uint16).reshape(90, 80)
    pixels = decode(files.deep_png(np.dstack([ramp] * 3))).pixels
    assert np.abs(pixels - windowed(ramp)).max() <= 1
    assert (pixels[0, 0], pixels[-1, -1]) == (0, 255)


@pytest.mark.parametrize("value", [0, 700, 65_535])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_16_bit_png_that_shows_nothing_is_refused(value: int, channels: int) -> None:
    with pytest.raises(errors.UniformImage):
        decode(files.deep_png(np.full((70, 90, channels), value, np.uint16)))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("side", [64, 1000])
def test_an_image_that_shows_nothing_is_refused(kind: str, side: int) -> None:
    blank = np.full((side, side), 77, np.uint8)
    blank[: side // 10, : side // 10] = 255
    for pixels in (np.full_like(blank, 77), blank):
        with pytest.raises(errors.UniformImage):
            decode(files.encoded(Image.fromarray(pixels), kind))


def test_an_image_that_shows_little_is_not_refused() -> None:
    pixels = np.zeros((1000, 1000), np.uint8)
    pixels[:300, :300] = 90
    assert np.array_equal(decode(files.png(pixels)).pixels, pixels)


# --- Orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    image = Image.fromarray(np.kron(RAMP, np.ones((8, 8), np.uint8)))
    data = files.encoded(image, kind, exif=exif(orientation))
    with Image.open(BytesIO(data)) as opened:
        expected = np.array(ImageOps.exif_transpose(opened))
    assert np.array_equal(decode(data).pixels, expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("type_", "number"), [(1, "B3x"), (3, "H2x"), (4, "I"), (8, "h2x"), (9, "i")])
def test_exif_orientation_of_any_whole_number_is_applied(
    type_: int, number: str, order: str, kind: str, orientation: int
) -> None:
    entries = struct.pack(f"{order}HHHIIHHI{number}I", 2, 0x0100, 4, 1, 20, 0x0112, type_, 1, orientation, 0)
    block = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8) + entries
    image = Image.fromarray(np.kron(RAMP, np.ones((8, 8), np.uint8)))
    plain, turned = (files.encoded(image, kind, exif=data) for data in (b"", b"Exif\0\0" + block))
    assert np.array_equal(decode(turned).pixels, upright(decode(plain).pixels, orientation))
    assert decode(turned).turned == orientation


@pytest.mark.parametrize(
    "block",
    [
        b"Exif\0\0",
        b"Exif\0\0II*\0",
        b"Exif\0\0XX*\0\x08\0\0\0\x01\0",
        b"Exif\0\0MM\0*\xff\xff\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0\x01\0\0\0\x63\0\0\0",
        # The offset of the resolution is far beyond the block's end: Pillow's own reader would warn.
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x1a\x01\x05\0\x01\0\0\0\xff\xff\0\0" + b"\0\0\0\0",
    ],
)
def test_malformed_exif_is_ignored_in_silence(block: bytes, recwarn: pytest.WarningsRecorder) -> None:
    image = Image.fromarray(RAMP)
    assert decode(files.encoded(image, "JPEG", exif=block)).pixels.shape == RAMP.shape
    assert not recwarn.list


# --- Any input


def seeds() -> dict[str, bytes]:
    image = Image.fromarray(np.kron(RAMP, np.ones((8, 8), np.uint8)))
    return {
        "grey png": files.encoded(image, "PNG"),
        "16-bit png": opencv_png(np.asarray(image).astype(np.uint16) * 300),
        "palette png": files.encoded(image.convert("P"), "PNG", transparency=3),
        "jpeg": files.encoded(image, "JPEG", exif=exif(6)),
        "progressive jpeg": files.encoded(image.convert("RGB"), "JPEG", progressive=True),
        "cmyk jpeg": files.encoded(image.convert("CMYK"), "JPEG"),
    }


@pytest.mark.parametrize("name", seeds())
def test_damaged_files_are_decoded_or_refused(name: str) -> None:
    check_damaged(seeds()[name], times=200)


def test_threads_do_not_disturb_each_other() -> None:
    bodies = [files.png(RAMP), files.radiograph_jpeg(), files.png_of_169_megapixels()] * 8

    def outcome(data: bytes) -> type[Refusal] | int:
        try:
            return int(decode(data).pixels.sum())
        except Refusal as refusal:
            return type(refusal)

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(outcome, bodies))
    assert outcomes == outcomes[:3] * 8
    assert outcomes[2] is errors.TooManyPixels


def test_decoding_a_png_loads_neither_torch_nor_pydicom() -> None:
    program = "import sys; from cxr.decode import decode; print({'torch', 'pydicom'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_radiograph_cannot_be_altered() -> None:
    radiograph = decode(files.png(RAMP))
    with pytest.raises(AttributeError):
        radiograph.media_type = "image/jpeg"  # type: ignore[misc]
    assert isinstance(radiograph, Radiograph)


def test_what_is_transparent_is_black() -> None:
    stored = np.full((64, 64, 4), 200, np.uint8)
    stored[:, :, 3] = np.repeat(np.array([0, 255], np.uint8), 32)
    stream = BytesIO()
    Image.fromarray(stored).save(stream, "PNG")
    grey = decode(stream.getvalue()).pixels
    assert (grey[:, :32] == 0).all()
    assert (grey[:, 32:] == 200).all()
