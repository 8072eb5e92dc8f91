"""The fence around third-party parsers of bytes that a stranger sent."""

import functools
import os
from collections.abc import Callable
from io import BytesIO
from typing import Final, ParamSpec, TypeVar

from cxr.errors import DecodingTooLarge, NotDecodable, Refusal, TooManyPixels
from cxr.limits import MAX_BYTES, MAX_PIXELS

P = ParamSpec("P")
T = TypeVar("T")

MAX_READS: Final = 100_000


def untrusted(parse: Callable[P, T]) -> Callable[P, T]:
    """Turn whatever a parser raises into NotDecodable. Around calls into Pillow and pydicom, not our logic.

    On hostile bytes they raise struct.error, KeyError, zlib.error, MemoryError, RecursionError and more, and
    the RLE decoder's Rust panics arrive as a BaseException that cannot be imported; so this one place of the
    package catches everything that does not end the process. NotDecodable is raised after the handler, not in
    it: the parser's exception, which may quote the file, is not even its __context__.
    """

    @functools.wraps(parse)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return parse(*args, **kwargs)
        except (Refusal, KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except MemoryError:
            refusal: type[Refusal] = DecodingTooLarge
        except BaseException:
            refusal = NotDecodable
        raise refusal

    return guarded


class BoundedReads(BytesIO):
    """Bytes that may be read so many times only.

    64 MiB hold eight million empty DICOM elements, or that much junk before a JPEG marker; the parsers take
    them one small read at a time, in Python, for minutes and gigabytes. No radiograph needs this many reads.

    longest: bytes of a single read, at most
    """

    def __init__(self, data: bytes | memoryview, longest: int = MAX_BYTES) -> None:
        super().__init__()  # its own buffer stays empty: the bytes are read where they are, in shared memory maybe
        self.size = len(data)
        self.longest = longest
        self._data = memoryview(data)
        self._position = 0
        self._reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self._reads += 1
        if self._reads > MAX_READS or (size is not None and size > self.longest):
            raise NotDecodable
        end = self.size if size is None or size < 0 else self._position + size
        read = bytes(self._data[self._position : end])
        self._position += len(read)
        return read

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        self._position = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence])
        return self._position

    def tell(self) -> int:
        return self._position


def check_size(width: int, height: int) -> None:
    """Refuse a header's claim of more than 40 megapixels (TooManyPixels) or of none (NotDecodable)."""
    if width < 1 or height < 1:
        raise NotDecodable
    if width * height > MAX_PIXELS:
        raise TooManyPixels
