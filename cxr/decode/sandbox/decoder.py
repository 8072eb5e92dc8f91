"""One decoder's process, from its parent's side."""

import contextlib
import json
import logging
import os
import re
import select
import signal
import socket
from collections.abc import Callable
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from cxr.decode.preview import Preview
from cxr.decode.radiograph import Radiograph
from cxr.decode.sandbox import wire
from cxr.decode.sandbox.forks import START_S, ForkServer
from cxr.decode.source import Source
from cxr.errors import DecoderCrashed, DecoderUnavailable, DecodingTooLarge, DecodingTooSlow, NotDecodable

logger = logging.getLogger("cxr.decode")

KEPT: Final = 48 << 20
"""Bytes of shared memory that a decoder keeps from file to file: a radiograph of 15 megapixels and its grey pixels. New
pages would cost more than the copy into them. After a larger file they are given back."""

_WHERE: Final = re.compile(r"\w{1,40} at [\w/]{1,100}\.py:\d{1,5}")


T = TypeVar("T")


class Gone(Exception):
    """The process had ended before it was given the file."""


class Ended(Exception):
    """The process has ended while it had the file."""


_LAST_FILE: Final = (Ended, DecoderCrashed, DecodingTooSlow, DecodingTooLarge, NotDecodable)
"""After these a decoder is ended. A damaged file may have damaged it too, and the next one is another patient's."""


class Decoder:
    """A process that decodes one DICOM file after another. To be called by one thread at a time."""

    def __init__(self, server: ForkServer) -> None:
        """Fork it. Raises OSError where that cannot be done."""
        self.ended = False
        self.status: int | None = None  # once somebody has waited for its end
        self._missing: list[str] | None = None
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._memory = os.memfd_create("cxr-decode", os.MFD_CLOEXEC)
        os.ftruncate(self._memory, wire.SHARED)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        try:
            with theirs:
                self.pid = server.fork(theirs.fileno(), self._memory)
        except OSError:
            self.forget()
            raise

    def wait_until_ready(self) -> list[str]:
        """What the kernel would not do to shut it in. Raises DecoderUnavailable where it does not get ready."""
        if self._missing is None:
            try:
                self._missing = list(map(str, self._receive(START_S).get("missing", ())))
            except (Ended, DecodingTooSlow):
                self.kill()
                raise DecoderUnavailable from None
        return self._missing

    def decode(self, data: bytes) -> Radiograph:
        """Decode a DICOM file of at most 64 MiB.

        Raises:
            Refusal: what decode_dicom raises; DecoderCrashed, DecodingTooSlow, DecodingTooLarge.
            Ended: it died of the file.
            DecoderUnavailable: it did not get ready.
            Gone: it had ended before. Another one may take the file.
        """
        radiograph = self._asked(data, wire.Wanted.GREY, self._radiograph)
        self._shrink(len(data) + radiograph.pixels.size)
        return radiograph

    def preview(self, data: bytes) -> Preview:
        """The same file for a screen. Raises the same, and TooSmall."""
        preview = self._asked(data, wire.Wanted.PREVIEW, self._preview)
        self._shrink(len(data) + preview.values.nbytes)
        return preview

    def source(self, data: bytes) -> Source:
        """The elements of a DICOM file that an object made from it repeats. Raises what `decode` does."""
        source = self._asked(data, wire.Wanted.SOURCE, wire.source)
        self._shrink(len(data))
        return source

    def kill(self) -> None:
        """End it now, whatever it does. Not to be called once somebody has waited for its end: its id is free then."""
        self.ended = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def forget(self) -> None:
        """Let go of its descriptors."""
        self._socket.close()
        os.close(self._memory)

    def _asked(self, data: bytes, wanted: wire.Wanted, read: Callable[[dict[str, Any]], T]) -> T:
        """Give it a file, and read what it says with `read`."""
        self.wait_until_ready()
        try:
            _write(self._memory, data)
            self._socket.send(wire.REQUEST.pack(len(data), wanted))
        except OSError:
            self.kill()
            raise Gone from None
        try:
            return self._result(read)
        except _LAST_FILE:
            self.kill()
            raise

    def _result(self, read: Callable[[dict[str, Any]], T]) -> T:
        said = self._receive(wire.DEADLINE_S)
        if _WHERE.fullmatch(where := str(said.get("failed", ""))):
            logger.error("decoding failed: %s", where)
        try:
            return read(said)
        except (ValueError, TypeError, KeyError, OverflowError):
            raise DecoderCrashed from None

    def _radiograph(self, said: dict[str, Any]) -> Radiograph:
        pixels = np.empty(wire.shape(said), np.uint8)
        self._read(pixels)
        return wire.radiograph(said, pixels)

    def _preview(self, said: dict[str, Any]) -> Preview:
        values = np.empty(wire.preview_shape(said), np.uint16)
        self._read(values)
        return wire.preview(said, values)

    def _read(self, pixels: NDArray[Any]) -> None:
        """Fill an array with what it has written. Raises DecoderCrashed where that is less."""
        # Copied by the kernel, and never mapped here: who shrinks a mapped file kills whoever reads it.
        if os.preadv(self._memory, [pixels.data], wire.PIXELS_AT) != pixels.nbytes:
            raise DecoderCrashed

    def _shrink(self, used: int) -> None:
        """Give the shared memory's pages back where a large file has taken many."""
        if used > KEPT:
            os.ftruncate(self._memory, 0)
            os.ftruncate(self._memory, wire.SHARED)

    def _receive(self, seconds: float) -> dict[str, Any]:
        """Its next message. The interpreter is free meanwhile. Raises DecodingTooSlow, Ended."""
        if not self._poll.poll(seconds * 1000):
            raise DecodingTooSlow
        try:
            said = json.loads(self._socket.recv(wire.MESSAGE))
        except (OSError, ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            raise Ended
        return said


def _write(memory: int, data: bytes) -> None:
    view, position = memoryview(data), 0
    while position < len(view):
        position += os.pwrite(memory, view[position:], position)
