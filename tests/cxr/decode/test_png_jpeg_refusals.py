"""PNG and JPEG: broken, too large or very slow files are refused."""

import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydicom import uid

from cxr import errors
from cxr.decode import decode
from cxr.errors import Refusal
from cxr.limits import MAX_BYTES
from tests import files


def without_meta(data: bytes) -> bytes:
    """A DICOM dataset alone, as files from before Part 10 are."""
    return data[144 + files.parse(data).file_meta.FileMetaInformationGroupLength :]


def implicit(data: bytes) -> bytes:
    dataset = files.parse(data)
    dataset.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian
    return files.part10(dataset)


RAMP = np.arange(200, dtype=np.uint8).reshape(10, 20)


@pytest.mark.parametrize(
    ("build", "refusal"),
    [
        (files.empty, errors.EmptyInput),
        (files.text_file, errors.NotDecodable),
        (files.pdf_file, errors.OtherFormat),
        (files.truncated_png, errors.Truncated),
        (files.truncated_jpeg, errors.Truncated),
        (files.png_of_400_megapixels, errors.TooManyPixels),
        (files.png_of_169_megapixels, errors.TooManyPixels),
        (lambda: b"\x89PNG\r\n\x1a\n", errors.Truncated),
        (lambda: b"\xff\xd8\xff", errors.Truncated),
        (lambda: files.encoded(Image.fromarray(RAMP), "GIF"), errors.OtherFormat),
        (lambda: files.encoded(Image.fromarray(RAMP), "TIFF"), errors.OtherFormat),
        (lambda: files.encoded(Image.fromarray(RAMP), "BMP"), errors.OtherFormat),
        (lambda: files.encoded(Image.fromarray(RAMP), "WEBP"), errors.OtherFormat),
        (lambda: files.encoded(Image.fromarray(RAMP), "JPEG2000"), errors.OtherFormat),
        (lambda: files.encoded(Image.fromarray(RAMP), "PPM"), errors.OtherFormat),
        (lambda: files.radiograph_dicom()[128:], errors.PreambleMissing),
        (lambda: files.radiograph_dicom()[132:], errors.PreambleMissing),
        (lambda: without_meta(files.sample("RG1_UNCR.dcm")), errors.PreambleMissing),
        (lambda: without_meta(implicit(files.radiograph_dicom())), errors.PreambleMissing),
        (lambda: b"\0" * (MAX_BYTES + 1), errors.BodyTooLarge),
    ],
)
def test_refusals(build: Callable[[], bytes], refusal: type[Refusal]) -> None:
    data = build()
    with pytest.raises(refusal) as caught:
        decode(data)
    assert type(caught.value) is refusal
    assert str(caught.value) == refusal.message
    assert caught.value.__context__ is None


def test_the_169_megapixel_png_is_a_small_and_complete_one() -> None:
    data = files.png_of_169_megapixels()
    assert len(data) < 200_000
    start = data.index(b"IDAT") + 4
    inflate = zlib.decompressobj()
    rows = sum(len(inflate.decompress(data[at : at + 1000])) for at in range(start, len(data) - 16, 1000))
    assert rows == 13_000 * 13_001


def test_a_png_with_too_little_data_is_refused() -> None:
    with pytest.raises(errors.NotDecodable):
        decode(files.png_file(100, 100, zlib.compress(b"\0" * 1000)))


def test_the_limit_of_pixels_is_40_million() -> None:
    assert decode(files.png(np.tile(np.arange(8_000).astype(np.uint8), (5_000, 1)))).pixels.size == 40_000_000
    with pytest.raises(errors.TooManyPixels):
        decode(files.png_file(8_000, 5_001, b""))


def test_a_text_chunk_bomb_is_refused() -> None:
    info = PngInfo()
    info.add_text("Comment", "x" * (100 << 20), zip=True)
    with pytest.raises(errors.NotDecodable):
        decode(files.encoded(Image.fromarray(RAMP), "PNG", pnginfo=info))


@pytest.mark.parametrize(
    ("data", "made"),
    [
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0" + b"\x01" * (1 << 24), 100_001),
        (files.encoded(Image.fromarray(RAMP), "JPEG", progressive=True) + b"\xff\xda\0\x08" * 101, 0),
    ],
    ids=["junk", "scans"],
)
def test_jpegs_that_would_take_minutes_are_refused_at_once(data: bytes, made: int, reads: list[int | None]) -> None:
    with pytest.raises(errors.NotDecodable):
        decode(data)
    assert len(reads) == made
