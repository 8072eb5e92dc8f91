"""Codestreams with false headers never reach a decoder."""

import struct
from collections.abc import Callable

import numpy as np
import pytest
from pydicom import uid
from pydicom.encaps import encapsulate, get_frame

from cxr.decode import decode
from cxr.decode.codestream import Frame, _segments, _tiles, j2k_frame, jpeg_frame
from cxr.decode.dicom import pixels
from cxr.decode.dicom.acceptance import decode_dicom
from cxr.errors import NotDecodable
from tests import files
from tests.cxr.decode.dicoms import as_secondary_capture

FRAME = b"\xff\xc3\0\x0b\x08\0\x0a\0\x14\x01\x01\x11\0"  # lossless, 8 bits, 10 rows of 20, one component
SCAN = b"\xff\xda\0\x08\x01\x01\0\x01\0\0"
ADOBE = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0"


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def test_a_frame_is_read() -> None:
    fill = b"\xff\xff"
    data = b"\xff\xd8" + segment(0xFE, b"a comment") + ADOBE + b"\1" + fill + FRAME + segment(0xC4, b"table") + SCAN
    assert jpeg_frame(data) == Frame(rows=10, columns=20, samples=1, precision=8)


@pytest.mark.parametrize(
    "segments",
    [
        FRAME,
        SCAN,
        SCAN + FRAME,
        FRAME + FRAME + SCAN,
        FRAME[:9] + SCAN,
        FRAME.replace(b"\x01\x01\x11\0", b"\x03\x01\x11\0") + SCAN,
        FRAME.replace(b"\x11", b"\x10") + SCAN,
        FRAME.replace(b"\x11", b"\x51") + SCAN,
        ADOBE + b"\xfe" + FRAME + SCAN,
        ADOBE + b"\2" + FRAME + SCAN,
        ADOBE.replace(b"\x0e", b"\x0d") + FRAME + SCAN,
        FRAME + SCAN.replace(b"\x01\x01\0", b"\x01\x02\0"),
        FRAME + SCAN.replace(b"\x01\x01\0", b"\x02\x01\0"),
        FRAME + segment(0xDA, b"\0\1\0\0"),
        FRAME + segment(0xDA, b"\2\1\0\1\0\1\0\0"),
        FRAME + b"\xff\xc4\xff\xff" + SCAN,
        FRAME + b"\xff\xc4\0\1" + SCAN,
        FRAME + b"\0" + SCAN,
        segment(0xFE, b"") * 1001 + FRAME + SCAN,
        b"",
    ],
)
def test_a_malformed_head_is_refused(segments: bytes) -> None:
    with pytest.raises(NotDecodable):
        jpeg_frame(b"\xff\xd8" + segments)


def siz(**changed: int) -> bytes:
    """The beginning of a JPEG 2000 codestream of 20 by 10, one component of 12 bits."""
    fields = {"right": 20, "bottom": 10, "left": 0, "top": 0, "width": 20, "height": 10, "across": 0, "down": 0}
    numbers = fields | {name: value for name, value in changed.items() if name in fields}
    samples = changed.get("samples", 1)
    component = bytes((11, changed.get("step", 1), 1))
    return b"\xff\x4f\xff\x51\0\x29\0\0" + struct.pack(">8IH", *numbers.values(), samples) + component


def test_segments_end_where_one_is_shorter_than_its_length_or_longer_than_the_stream() -> None:
    comment = segment(0xFE, b"abc")
    for length in range(2):
        assert list(_segments(b"\xff\xd8" + comment + b"\xff\xfe" + bytes((0, length)) + FRAME)) == [(0xFE, b"abc")]
    assert list(_segments(b"\xff\xd8" + comment + b"\xff\xfe\0\2" + comment)) == [
        (0xFE, b"abc"),
        (0xFE, b""),
        (0xFE, b"abc"),
    ]
    assert list(_segments(b"\xff\xd8" + comment + comment[:-1])) == [(0xFE, b"abc")]


def test_a_siz_segment_is_read() -> None:
    assert j2k_frame(siz()) == Frame(rows=10, columns=20, samples=1, precision=12)
    assert j2k_frame(siz(left=4, top=2)) == Frame(rows=8, columns=16, samples=1, precision=12)


@pytest.mark.parametrize(
    "changed",
    [{"width": 0}, {"height": 0}, {"right": 200_000, "width": 1}, {"samples": 0}, {"samples": 2}, {"step": 2}],
    ids=str,
)
def test_a_siz_segment_that_would_cost_is_refused(changed: dict[str, int]) -> None:
    with pytest.raises(NotDecodable):
        j2k_frame(siz(**changed))


def test_frames_begin_with_any_marker_of_theirs_and_no_other() -> None:
    own = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC} | {0xF7}
    for marker in range(0xBF, 0xFF):
        if marker != 0xDA:
            data = b"\xff\xd8" + FRAME.replace(b"\xc3", bytes((marker,))) + SCAN
            assert _is_read(jpeg_frame, data) is (marker in own), hex(marker)


def _is_read(read: Callable[[bytes], Frame], data: bytes) -> bool:
    try:
        read(data)
    except NotDecodable:
        return False
    return True


def test_tiles_are_counted_up_to_the_last_part_and_up_to_a_limit() -> None:
    assert (_tiles(20, 0, 7), _tiles(21, 0, 7), _tiles(20, 6, 7), _tiles(20, 0, 0)) == (3, 3, 2, 0)
    assert j2k_frame(siz(right=65_535, bottom=1, width=1, height=1)).columns == 65_535
    assert not _is_read(j2k_frame, siz(right=65_536, bottom=1, width=1, height=1))


def test_a_siz_segment_begins_as_it_must_also_in_a_file_of_its_own() -> None:
    signature, empty = b"\0\0\0\x0cjP  \r\n\x87\n", b"\0\0\0\x08free"
    boxed = signature + empty + b"\0\0\0\0jp2c" + siz()
    assert j2k_frame(boxed) == j2k_frame(siz())
    for wrong in (siz().replace(b"\xff\x51", b"\xff\x52"), siz()[:41], boxed.replace(b"\x08free", b"\x07free")):
        assert not _is_read(j2k_frame, wrong + bytes(40) if len(wrong) > 41 else wrong)


def edited(data: bytes, edit: Callable[[bytearray], None]) -> bytes:
    dataset = files.parse(data)
    codestream = bytearray(get_frame(dataset.PixelData, 0, number_of_frames=1))
    edit(codestream)
    dataset.PixelData = encapsulate([bytes(codestream)])
    return files.part10(dataset)


def at_frame(offset: int, value: int) -> Callable[[bytearray], None]:
    """A frame header with one byte changed: 4 is the precision, 9 the number of components."""

    def edit(codestream: bytearray) -> None:
        marker = next(
            codestream.find(bytes((0xFF, kind))) for kind in (0xC3, 0xF7) if bytes((0xFF, kind)) in codestream
        )
        codestream[marker + offset] = value

    return edit


def at_adobe(codestream: bytearray) -> None:
    codestream[codestream.index(b"Adobe") + 11] = 254


COLOUR = "SC_rgb_jpeg_gdcm.dcm"
GREY = "JPGLosslessP14SV1_1s_1f_8b.dcm"


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        (COLOUR, at_adobe),
        (COLOUR, at_frame(4, 12)),
        (COLOUR, at_frame(4, 0)),
        (COLOUR, at_frame(9, 1)),
        (COLOUR, at_frame(9, 4)),
        (GREY, at_frame(4, 0x7F)),
        (GREY, at_frame(4, 16)),
        (GREY, at_frame(4, 1)),
        (GREY, at_frame(6, 99)),
        (GREY, at_frame(8, 99)),
        (GREY, at_frame(9, 3)),
        ("MR_small_jpeg_ls_lossless.dcm", at_frame(4, 32)),
        ("MR_small_jpeg_ls_lossless.dcm", at_frame(9, 3)),
    ],
)
def test_codestreams_that_contradict_the_elements_are_never_decoded(
    name: str, edit: Callable[[bytearray], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = as_secondary_capture(name, PatientOrientation=None)
    assert np.ptp(decode(data).pixels)
    monkeypatch.setattr(pixels, "_decode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(NotDecodable):
        decode_dicom(edited(data, edit))


# Found by fuzzing: GDCM aborted on the first and segfaulted on the second.
ABORTED = (
    "ffd8ffee000e41646f6265006400000000feffc3001108006400640352110047110042110"
    "0ff00080706ffda000c03520047004200010000dfe7ffd900"
)
CRASHED = (
    "ffd8ffc40024000000000011000000000000000000000000000102030405060708090a0b0c0d0e0f10ffc3000b7f00f500e701011100ffda00080101000100003"
    "6e4a1610000"
)


@pytest.mark.parametrize(
    ("codestream", "stored", "bits"),
    [(ABORTED, np.zeros((100, 100, 3), np.uint8), 7), (CRASHED, np.zeros((245, 231), np.uint8), 8)],
    ids=["aborted", "crashed"],
)
def test_files_that_ended_the_process_are_refused(
    codestream: str, stored: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], bits: int
) -> None:
    dataset = files.parse(files.synthetic_dicom(stored, BitsStored=bits, HighBit=bits - 1))
    dataset.file_meta.TransferSyntaxUID = uid.JPEGLosslessSV1
    dataset.PixelData = encapsulate([bytes.fromhex(codestream)])
    dataset["PixelData"].is_undefined_length = True
    with pytest.raises(NotDecodable) as caught:
        decode(files.part10(dataset))
    assert type(caught.value) is NotDecodable
