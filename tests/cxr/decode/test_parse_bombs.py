"""Elements that would take gigabytes are refused during reading."""

import struct
from collections.abc import Callable

import pytest

from cxr.decode import decode
from cxr.errors import NotDecodable, Refusal
from tests import files

DATA = files.small_radiograph_dicom()
MIB = 1 << 20
ITEM = b"\xfe\xff\0\xe0\xff\xff\xff\xff"
END_OF_ITEM = b"\xfe\xff\x0d\xe0\0\0\0\0"
END = b"\xfe\xff\xdd\xe0\0\0\0\0"


def element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sHI", group, number, vr, 0, len(value)) + value


def sequence(group: int, number: int, *items: bytes) -> bytes:
    head = struct.pack("<HH2sHI", group, number, b"SQ", 0, 0xFFFFFFFF)
    return head + b"".join(ITEM + item + END_OF_ITEM for item in items) + END


def before(tag: bytes, inserted: bytes) -> bytes:
    at = DATA.index(tag)
    return DATA[:at] + inserted + DATA[at:]


def in_front(inserted: bytes) -> bytes:
    return before(b"\x08\0\x16\0UI", inserted)


def in_tables(inserted: bytes) -> bytes:
    return before(b"\xe0\x7f\x10\0OW", inserted)


def lut(values: int) -> bytes:
    descriptor = struct.pack("<HH2sH3H", 0x28, 0x3002, b"US", 6, 0, 0, 16)
    return sequence(0x28, 0x3010, descriptor + element(0x28, 0x3006, b"UC", b"12\\" * values))


@pytest.mark.parametrize(
    "build",
    [
        lambda: in_front(element(8, 5, b"UN", b"\\" * 60 * MIB)),
        lambda: in_front(element(8, 5, b"UN", b"\\" * 20_000)),
        lambda: in_tables(lut(20 * MIB)),
        lambda: in_tables(sequence(0x28, 0x3010, *[element(8, 5, b"UN", b"\\" * 2 * MIB)] * 20)),
        lambda: in_tables(sequence(0x28, 0x3010, element(0x28, 0x3006, b"OB", bytes(2 * MIB)))),
        lambda: in_tables((struct.pack("<HH2sHI", 0x28, 0x3010, b"SQ", 0, 0xFFFFFFFF) + ITEM) * 10_000),
    ],
    ids=["character set", "smaller character set", "table", "nested character sets", "nested bytes", "depth"],
)
def test_bombs_are_refused(build: Callable[[], bytes]) -> None:
    with pytest.raises(NotDecodable):
        decode(build())


@pytest.mark.slow
def test_many_small_bombs_end_at_the_deadline() -> None:
    with pytest.raises(Refusal):
        decode(in_tables(sequence(0x28, 0x3010, *[element(8, 5, b"UN", b"\\" * 16_384)] * 3_800)))


def test_a_private_block_of_megabytes_is_passed_over() -> None:
    private = element(0x9, 0x1001, b"OB", bytes(20 * MIB))
    assert (decode(in_tables_of_group_9(private)).pixels == decode(DATA).pixels).all()


def in_tables_of_group_9(inserted: bytes) -> bytes:
    return before(b"\x10\0\x10\0PN", inserted)
