"""Parse multipart/form-data into files in memory.

Starlette's own parser writes files over a megabyte to the disk, where patients' images must not be stored.
"""

from collections.abc import AsyncIterator
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from cxr.errors import EmptyInput, Refusal
from service.limits import MAX_FIELDS, MAX_FILES
from service.refusals import MalformedForm, NotAForm, TooManyFields, TooManyFiles

MULTIPART: Final = "multipart/form-data"


async def read_files(
    content_type: str, stream: AsyncIterator[bytes], most: int = MAX_FILES, too_many: type[Refusal] = TooManyFiles
) -> list[bytes]:
    """The content of every file of a form, in order. Text fields are ignored.

    Args:
        content_type: the request's header.
        stream: the body, already limited in size.
        most: the largest number of files.
        too_many: the refusal of a form with more files.

    Raises:
        NotAForm: the header names another type, or no boundary.
        MalformedForm: the form is cut short or breaks its own rules.
        TooManyFiles, or `too_many`: there are more than `most` files; the rest is not read.
        TooManyFields: there are more than `MAX_FIELDS` text fields.
        EmptyInput: there is no file.
    """
    form = _Form(_boundary(content_type), most, too_many)
    async for chunk in stream:
        form.write(chunk)
    return form.close()


def _boundary(content_type: str) -> bytes:
    media_type, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if media_type.decode() != MULTIPART or not boundary:
        raise NotAForm
    return boundary


class _Form:
    """Collects the parts of a form while its bytes arrive."""

    def __init__(self, boundary: bytes, most: int, too_many: type[Refusal]) -> None:
        self._most = most
        self._too_many = too_many
        self._files: list[list[bytes]] = []
        self._fields = -1  # the preamble is not a part
        self._keeps = False  # whether the current part is a file
        self._header: list[bytes] = [b"", b""]
        self._headers: dict[bytes, bytes] = {}
        self._ended = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": lambda data, start, end: self._in_header(0, data[start:end]),
                    "on_header_value": lambda data, start, end: self._in_header(1, data[start:end]),
                    "on_header_end": self._header_ends,
                    "on_headers_finished": self._judge,
                    "on_part_data": self._data,
                    "on_end": self._end,
                },
            )
        except FormParserError:  # at most 70 bytes (RFC 2046, 5.1.1)
            raise MalformedForm from None
        # A form may have a preamble (RFC 2046, 5.1.1), which the parser does not know: it is turned into a part.
        self.write(b"--" + boundary + b"\r\n\r\n\r\n")

    def write(self, chunk: bytes) -> None:
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise MalformedForm from None

    def close(self) -> list[bytes]:
        if not self._ended:
            raise MalformedForm
        if not self._files:
            raise EmptyInput
        files = []
        while self._files:  # free each file's pieces as soon as they are joined
            files.append(b"".join(self._files.pop(0)))
        return files

    def _begin(self) -> None:
        self._headers = {}

    def _in_header(self, which: int, piece: bytes) -> None:
        self._header[which] += piece

    def _header_ends(self) -> None:
        name, value = self._header
        self._headers[name.lower()] = value
        self._header = [b"", b""]

    def _judge(self) -> None:
        self._keeps = _is_file(self._headers)
        if self._keeps:
            if len(self._files) == self._most:
                raise self._too_many
            self._files.append([])
        else:
            self._fields += 1
            if self._fields > MAX_FIELDS:
                raise TooManyFields

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._keeps:
            self._files[-1].append(data[start:end])

    def _end(self) -> None:
        self._ended = True


def _is_file(headers: dict[bytes, bytes]) -> bool:
    """Whether a part is a file: it has a file name, or a media type other than text (RFC 7578, 4.2 and 4.4)."""
    _, options = parse_options_header(headers.get(b"content-disposition"))
    media_type, _ = parse_options_header(headers.get(b"content-type"))
    return b"filename" in options or not (media_type or b"text/plain").startswith(b"text/")
