"""One decoder process, seen from its parent."""

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
"""Bytes of shared memory that a decoder keeps between files: a radiograph of 15 megapixels and its grey pixels.
Allocating new pages costs more than the copy into them. After a larger file the excess is released."""

_WHERE: Final = re.compile(r"\w{1,40} at [\w/]{1,100}\.py:\d{1,5}")


T = TypeVar("T")


class Gone(Exception):
    """The process had already ended when it was given the file."""


class Ended(Exception):
    """The process has ended while it had the file."""


_LAST_FILE: Final = (Ended, DecoderCrashed, DecodingTooSlow, DecodingTooLarge, NotDecodable)
"""A decoder is replaced after one of these: the file may have damaged it, and the next is another patient's."""


class Decoder:
    """A process that decodes one DICOM file after another. Call it from one thread at a time."""

    def __init__(self, server: ForkServer) -> None:
        """Fork the process. Raises OSError if that fails."""
        self.ended = False
        self.status: int | None = None  # set once a thread has waited for its end
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
        """Wait; return the protections that the kernel refused. Raises DecoderUnavailable if it does not get ready."""
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
            Ended: the file made the process end.
            DecoderUnavailable: it did not get ready.
            Gone: it had ended before. Another decoder may take the file.
        """
        radiograph = self._asked(data, wire.Wanted.GREY, self._radiograph)
        self._shrink(len(data) + radiograph.pixels.size)
        return radiograph

    def preview(self, data: bytes) -> Preview:
        """Decode the same file as a preview for a screen. Raises the same, and TooSmall."""
        preview = self._asked(data, wire.Wanted.PREVIEW, self._preview)
        self._shrink(len(data) + preview.values.nbytes)
        return preview

    def source(self, data: bytes) -> Source:
        """The elements of a DICOM file that a result object must repeat. Raises what `decode` raises."""
        source = self._asked(data, wire.Wanted.SOURCE, wire.source)
        self._shrink(len(data))
        return source

    def kill(self) -> None:
        """Kill the process. Do not call this after a thread has waited for its end: its process id is free then."""
        self.ended = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def forget(self) -> None:
        """Close its descriptors."""
        self._socket.close()
        os.close(self._memory)

    def _asked(self, data: bytes, wanted: wire.Wanted, read: Callable[[dict[str, Any]], T]) -> T:
        """Send it a file, and parse its answer with `read`."""
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
        """Fill an array with the pixels that it has written. Raises DecoderCrashed if there are fewer."""
        # The kernel copies; the file is never mapped here. If the child shrank it, reading the map would kill us.
        if os.preadv(self._memory, [pixels.data], wire.PIXELS_AT) != pixels.nbytes:
            raise DecoderCrashed

    def _shrink(self, used: int) -> None:
        """Release the shared memory's excess pages after a large file."""
        if used > KEPT:
            os.ftruncate(self._memory, 0)
            os.ftruncate(self._memory, wire.SHARED)

    def _receive(self, seconds: float) -> dict[str, Any]:
        """Its next message. The interpreter's lock is released meanwhile. Raises DecodingTooSlow, Ended."""
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
