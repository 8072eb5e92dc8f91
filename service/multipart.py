"""multipart/form-data → files in memory.

Starlette's own parser writes files over a megabyte to the disk, where patients' images have no business.
"""

from collections.abc import AsyncIterator

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from cxr.errors import EmptyInput
from service.limits import MAX_FILES
from service.refusals import MalformedForm, NotAForm, TooManyFiles


async def read_files(content_type: str, stream: AsyncIterator[bytes]) -> list[bytes]:
    """The content of every part of a form, in order; names and types of parts are not looked at.

    Args:
        content_type: the request's header.
        stream: the body; whoever made it bounds its bytes.

    Raises:
        NotAForm: the header names another type, or no boundary.
        MalformedForm: the form is cut short or breaks its own rules.
        TooManyFiles: there are more than `MAX_FILES` parts; the rest is not read.
        EmptyInput: there is none.
    """
    parts = _Parts(_boundary(content_type))
    async for chunk in stream:
        parts.write(chunk)
    return parts.close()


def _boundary(content_type: str) -> bytes:
    media_type, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if media_type != b"multipart/form-data" or not boundary:
        raise NotAForm
    return boundary


class _Parts:
    """The parts of a form, as its bytes come in."""

    def __init__(self, boundary: bytes) -> None:
        self._chunks: list[list[bytes]] = []
        self._ended = False
        try:
            self._parser = MultipartParser(
                boundary,
                {"on_part_begin": self._begin, "on_part_data": self._data, "on_end": self._end},
            )
        except FormParserError:  # a boundary of 70 bytes at most, says RFC 2046
            raise MalformedForm from None

    def write(self, chunk: bytes) -> None:
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise MalformedForm from None

    def close(self) -> list[bytes]:
        if not self._ended:
            raise MalformedForm
        if not self._chunks:
            raise EmptyInput
        files = []
        while self._chunks:  # each part's pieces are let go as soon as they are joined
            files.append(b"".join(self._chunks.pop(0)))
        return files

    def _begin(self) -> None:
        if len(self._chunks) == MAX_FILES:
            raise TooManyFiles
        self._chunks.append([])

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._chunks[-1].append(data[start:end])

    def _end(self) -> None:
        self._ended = True
