"""Forms: parts in order, in memory, bounded, and every odd form named."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from cxr.errors import EmptyInput, Refusal
from service.limits import MAX_FILES
from service.multipart import read_files
from service.refusals import MalformedForm, NotAForm, TooManyFiles

FORM = "multipart/form-data; boundary=x"


def form(*parts: bytes, end: bytes = b"--x--\r\n") -> bytes:
    head = b'Content-Disposition: form-data; name="files"; filename="f"\r\nContent-Type: image/png\r\n\r\n'
    return b"".join(b"--x\r\n" + head + part + b"\r\n" for part in parts) + end


def parsed(data: bytes, content_type: str = FORM, size: int = 1 << 16) -> list[bytes]:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(data), size):
            yield data[start : start + size]

    return asyncio.run(read_files(content_type, chunks()))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1 << 16])
def test_the_parts_in_order_however_they_are_cut(size: int) -> None:
    parts = [b"first", b"", b"a boundary, nearly: \r\n--y, \r\n--", bytes(range(256))]
    assert parsed(form(*parts), size=size) == parts


@pytest.mark.parametrize(
    ("data", "content_type", "refusal"),
    [
        (form(b"1"), "image/png", NotAForm),
        (form(b"1"), "", NotAForm),
        (form(b"1"), "multipart/form-data", NotAForm),
        (form(b"1"), "multipart/mixed; boundary=x", NotAForm),
        (form(b"1"), f"multipart/form-data; boundary={'x' * 1000}", MalformedForm),
        (form(b"1", end=b""), FORM, MalformedForm),
        (b"no form at all", FORM, MalformedForm),
        (b"", FORM, MalformedForm),
        (b"--x\r\n" + b"A" * 100_000, FORM, MalformedForm),
        (form(), FORM, EmptyInput),
        (form(*[b"1"] * (MAX_FILES + 1)), FORM, TooManyFiles),
    ],
)
def test_odd_forms(data: bytes, content_type: str, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        parsed(data, content_type)


def test_as_many_files_as_there_may_be() -> None:
    assert len(parsed(form(*[b"1"] * MAX_FILES))) == MAX_FILES
