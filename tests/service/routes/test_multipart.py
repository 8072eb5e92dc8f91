"""Forms: parts in order, in memory, limited; malformed forms get the right error."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from cxr.errors import EmptyInput, Refusal
from service.limits import MAX_FIELDS, MAX_FILES
from service.refusals import MalformedForm, NotAForm, SeveralFiles, TooManyFields, TooManyFiles
from service.routes.multipart import read_files
from tests.service.forms import FORM, TEXT, form, part


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
        (part(b"1", TEXT) * (MAX_FIELDS + 1) + form(b"1"), FORM, TooManyFields),
        (part(b"1", TEXT) + form(), FORM, EmptyInput),
        (b"preamble\r\n--y\r\n" + form(b"1", end=b""), FORM, MalformedForm),
        (part(b"1", b"Name" * 2000 + b": x\r\n\r\n") + form(b"1"), FORM, MalformedForm),
        (part(b"1", b"Name: x\r\n" * 20 + b"\r\n") + form(b"1"), FORM, MalformedForm),
    ],
)
def test_odd_forms(data: bytes, content_type: str, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        parsed(data, content_type)


def test_as_many_files_as_there_may_be() -> None:
    assert len(parsed(form(*[b"1"] * MAX_FILES))) == MAX_FILES


@pytest.mark.parametrize("size", [1, 1 << 16])
@pytest.mark.parametrize(
    "data",
    [
        b"preamble\r\n" + form(b"1"),
        b"\r\n" + form(b"1"),
        b"--y -- x --x\r\n--\r\n" + form(b"1"),
        form(b"1") + b"epilogue --x\r\n",
        form(b"1", end=b"--x--"),
        form(b"1").replace(b"--x\r\n", b"--x \t\r\n"),  # transport padding
        part(b"text", TEXT) + form(b"1") + part(b"text", TEXT),
        part(b"text", TEXT.replace(b"\r\n\r\n", b"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n")) + form(b"1"),
        part(b"no name", b"\r\n") + form(b"1"),
        part(b"1", b"CONTENT-TYPE: application/dicom\r\n\r\n") + form(),
        part(b"1", b'content-disposition: form-data; filename="a;b"\r\n\r\n') + form(),
    ],
)
def test_one_file_among_what_the_rfcs_allow(data: bytes, size: int) -> None:
    assert parsed(data, size=size) == [b"1"]


def test_another_limit_has_another_error() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield form(b"1", b"2")

    with pytest.raises(SeveralFiles):
        asyncio.run(read_files(FORM, chunks(), most=1, too_many=SeveralFiles))
