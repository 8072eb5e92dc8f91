"""The decoders of this process, up to a limit: forked when there is work, replaced when they end."""

import atexit
import contextlib
import logging
import os
import signal
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from cxr.cpu_count import usable_cores
from cxr.decode.preview import Preview
from cxr.decode.radiograph import Radiograph
from cxr.decode.sandbox.decoder import Decoder, Ended, Gone
from cxr.decode.sandbox.forks import ForkServer
from cxr.decode.source import Source
from cxr.errors import DecoderCrashed, DecoderUnavailable, DecodingTooSlow

logger = logging.getLogger("cxr.decode")

T = TypeVar("T")

MOST: Final = 4
"""Largest number of decoders: each may take half a gigabyte, and decodes dozens of radiographs a second."""


class Pool:
    """Decoders for the threads of one process."""

    def __init__(self, size: int) -> None:
        """`size`: how many decoders may work at once."""
        self.size = size
        self._places = threading.Semaphore(size)
        self._free: deque[Decoder] = deque()
        # This thread lives as long as the pool. It alone talks to the fork server and changes the fields below.
        self._forker = ThreadPoolExecutor(1, "decoder-forker")
        self._server: ForkServer | None = None
        self._decoders: set[Decoder] = set()
        atexit.register(self.close)

    def decode(self, data: bytes) -> Radiograph:
        """Decode a DICOM file of at most 64 MiB as soon as a decoder is free.

        Raises:
            Refusal: what decode_dicom raises; DecoderCrashed, DecodingTooSlow, DecodingTooLarge.
            DecoderUnavailable: no decoder can be started.
        """
        return self._with_one(lambda decoder: decoder.decode(data))

    def preview(self, data: bytes) -> Preview:
        """Decode the same file as a preview for a screen. Raises the same, and TooSmall."""
        return self._with_one(lambda decoder: decoder.preview(data))

    def source(self, data: bytes) -> Source:
        """The elements of a DICOM file that a result object must repeat. Raises what `decode` raises."""
        return self._with_one(lambda decoder: decoder.source(data))

    def _with_one(self, ask: Callable[[Decoder], T]) -> T:
        for _ in range(self.size + 1):  # all the free ones may have ended; the next one is new
            decoder = self._take()
            try:
                return ask(decoder)
            except Gone:
                continue
            except Ended:
                raise self._cause(decoder) from None
            finally:
                self._give_back(decoder)
        raise DecoderUnavailable

    def warm(self) -> list[str]:
        """Start all decoders, wait until they are ready, and return the protections that the kernel refused.

        Raises:
            DecoderUnavailable: a decoder cannot be started.
        """
        taken: list[Decoder] = []
        try:
            while len(taken) < self.size:
                taken.append(self._take())
            return sorted({one for decoder in taken for one in decoder.wait_until_ready()})
        finally:
            for decoder in taken:
                self._give_back(decoder)

    def pids(self) -> list[int]:
        """The process ids of the decoders."""
        return [decoder.pid for decoder in self._forker.submit(list, self._decoders).result()]

    def close(self) -> None:
        """End all decoders. Nothing can be decoded afterwards."""
        self._forker.shutdown()
        if self._server is not None:
            self._server.close()
        self.forget()

    def forget(self) -> None:
        """Close the decoders' descriptors in a fork: the decoders belong to the parent process."""
        atexit.unregister(self.close)
        if self._server is not None:
            self._server.forget()
        while self._decoders:
            self._decoders.pop().forget()

    def _take(self) -> Decoder:
        self._places.acquire()
        try:
            return self._free.pop()
        except IndexError:
            pass
        try:
            return self._forker.submit(self._fork).result()
        except OSError:
            self._places.release()
            logger.error("no decoder can be started")
            raise DecoderUnavailable from None

    def _cause(self, decoder: Decoder) -> DecoderCrashed | DecodingTooSlow:
        status = self._forker.submit(self._wait, decoder).result()
        logger.warning("a file ended its decoder with status %d", status)
        return DecodingTooSlow() if status == -signal.SIGXCPU else DecoderCrashed()

    def _give_back(self, decoder: Decoder) -> None:
        if decoder.ended:
            self._forker.submit(self._replace, decoder)  # in the background, so that this thread need not wait
            return
        self._free.append(decoder)
        self._places.release()

    def _fork(self) -> Decoder:
        """A new decoder, from a new fork server if the old one has died (its decoders died with it)."""
        if self._server is not None:
            try:
                return self._of(self._server)
            except OSError:
                self._server.close()
                self._server = None
        self._server = ForkServer()
        return self._of(self._server)

    def _of(self, server: ForkServer) -> Decoder:
        decoder = Decoder(server)
        self._decoders.add(decoder)
        return decoder

    def _replace(self, decoder: Decoder) -> None:
        try:
            self._wait(decoder)
            self._decoders.discard(decoder)
            decoder.forget()
            self._free.append(self._fork())
        except OSError:
            pass  # the next file will try again
        finally:
            self._places.release()

    def _wait(self, decoder: Decoder) -> int:
        """The exit code of a decoder that has ended, negative for a signal; 0 if it is unknown."""
        if decoder.status is None and self._server is not None:
            with contextlib.suppress(OSError):
                decoder.status = self._server.reap(decoder.pid)
        return decoder.status or 0


_lock = threading.Lock()
_pools: list[Pool] = []
_forgotten: list[Pool] = []  # kept, because subprocess warns about a process that nothing waits for


def decoders() -> Pool:
    """The decoder pool of this process."""
    with _lock:
        if not _pools:
            _pools.append(Pool(min(usable_cores(), MOST)))
        return _pools[0]


def decode_in_child(data: bytes) -> Radiograph:
    """Decode a DICOM file of at most 64 MiB in a child process. Raises what `Pool.decode` raises."""
    return decoders().decode(data)


def preview_in_child(data: bytes) -> Preview:
    """Decode the same file as a preview for a screen, in the same child processes."""
    return decoders().preview(data)


def source_in_child(data: bytes) -> Source:
    """The elements of the same file that a result object must repeat, read in the same child processes."""
    return decoders().source(data)


def _after_fork() -> None:
    """Give a fork, such as a data loader's worker, a pool of its own: two users of one socket would mix up files."""
    global _lock
    _lock = threading.Lock()
    for pool in _pools:
        pool.forget()
    _forgotten.extend(_pools)
    _pools.clear()


os.register_at_fork(after_in_child=_after_fork)
