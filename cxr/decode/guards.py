"""Protection around third-party parsers of untrusted bytes."""

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
    """Turn any exception of a parser into NotDecodable. For calls into Pillow and pydicom, not for our own logic.

    On hostile bytes the parsers raise struct.error, KeyError, zlib.error, MemoryError, RecursionError and more. A
    panic in the RLE decoder, which is Rust, arrives as a BaseException that cannot be imported. So this is the one
    place of the package that catches everything that does not end the process. NotDecodable is raised after the
    handler and not inside it, so that the parser's exception, which may quote the file, is not its __context__.
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
    """Bytes with a limit on the number of reads.

    64 MiB can hold eight million empty DICOM elements, or as much junk before a JPEG marker. The parsers would take
    them in small reads, in Python, which costs minutes and gigabytes. No radiograph needs so many reads.

    longest: the largest number of bytes of a single read
    """

    def __init__(self, data: bytes | memoryview, longest: int = MAX_BYTES) -> None:
        super().__init__()  # the base class's buffer stays empty: the bytes are read in place
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
    """Refuse a header that claims more than 40 megapixels (TooManyPixels) or none (NotDecodable)."""
    if width < 1 or height < 1:
        raise NotDecodable
    if width * height > MAX_PIXELS:
        raise TooManyPixels
