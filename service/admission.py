"""Who runs, with how many threads, and until when: the one place of the service that counts works."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from threading import Lock
from typing import Any, Final, Generic, TypeVar

from service.refusals import Busy, DeadlineExceeded

T = TypeVar("T")

WEIGHT: Final = 0.1  # of the latest work in the average: the last twenty or so decide

Start = Callable[[], Future[T]]
"""Begins a work without waiting for it, in any thread; its future is done when the work has ended, and not before."""


class Admission:
    """Admits works in the order of their arrival, so many at once, with a bounded queue before them.

    A place is free again when its work has ended, whether or not somebody still waits for the result: a thread cannot
    be stopped, and giving its place away would let works pile up exactly when they are slow. The next work begins in
    the thread in which the last one ended. So no core waits for the event loop between two.

    The queue is bounded in time: so many places are a second of waiting on one machine and half a minute on a busier
    one, and who waits that long has gone. A bound on places stays, since each holds a file in memory. BentoML's own
    `max_concurrency` has no queue, and its answers have neither a code nor a Retry-After.
    """

    def __init__(self, at_once: int, queue: int, wait_s: float, clock: Callable[[], float] = time.perf_counter) -> None:
        """
        Args:
            at_once: works that run at once.
            queue: works that wait, at most.
            wait_s: none is admitted that would wait for longer, as works took lately.
            clock: seconds, from any start.
        """
        self._at_once = at_once
        self._queue = queue
        self._wait_s = wait_s
        self._clock = clock
        self._lock = Lock()
        self._waiting: deque[_Work[Any]] = deque()
        self._running = 0
        self._work_s = 0.0  # moving average of the seconds of a work

    @property
    def in_flight(self) -> int:
        """How many works wait or run."""
        with self._lock:
            return self._running + len(self._waiting)

    @property
    def running(self) -> int:
        """How many works have begun and not ended. Where it is 1, that work has all cores to itself."""
        return self._running

    @property
    def expected_wait_s(self) -> float:
        """Seconds that the next work would wait, if works go on as they went lately."""
        return self._expected_wait_s(self.in_flight)

    def check(self) -> None:
        """Raises Busy when there is no room: ask before reading a body that could not be used."""
        in_flight = self.in_flight
        wait_s = self._expected_wait_s(in_flight)
        if in_flight >= self._at_once + self._queue or wait_s > self._wait_s:
            raise Busy(wait_s)

    async def run(self, start: Start[T], seconds: float) -> T:
        """Run one work in its turn.

        Returns:
            What the work returned.

        Raises:
            Busy: the queue is full, or too slow.
            DeadlineExceeded: no result within so many seconds. A work that has not begun by then never does.
        """
        self.check()
        return await self.run_admitted(start, seconds)

    async def run_admitted(self, start: Start[T], seconds: float) -> T:
        """The same for a work that is not refused: one of several for which `check` was asked, or a second half.

        Raises:
            DeadlineExceeded: as for `run`.
        """
        work = _Work(start, asyncio.get_running_loop())
        try:
            async with asyncio.timeout(seconds):
                self._admit(work)  # last, since its thread needs the interpreter from here on
                ended = await work.ended
        except TimeoutError:
            raise DeadlineExceeded from None
        finally:
            if work.ended.cancelled():
                self._withdraw(work)
        return ended.result()

    def _expected_wait_s(self, in_flight: int) -> float:
        before = max(0, in_flight - self._at_once + 1)
        return before * self._work_s / self._at_once

    def _admit(self, work: "_Work[T]") -> None:
        with self._lock:
            self._waiting.append(work)
        self._go_on()

    def _go_on(self) -> None:
        """Begin every work whose turn it is."""
        while True:
            with self._lock:  # held until it has begun, for the order
                if not self._waiting or self._running == self._at_once:
                    return
                work = self._waiting.popleft()
                self._running += 1
                begun, future = self._clock(), work.begin()
            future.add_done_callback(partial(self._end, work, begun))

    def _end(self, work: "_Work[T]", begun: float, future: Future[T]) -> None:
        """In whichever thread the work ended: its place is free before its result is known, and taken at once."""
        with self._lock:
            self._running -= 1
            if future.exception() is None:  # one that is refused, at once or at a deadline, tells nothing of the others
                self._work_s += (self._clock() - begun - self._work_s) * (WEIGHT if self._work_s else 1.0)
        self._go_on()
        work.answer(future)

    def _withdraw(self, work: "_Work[Any]") -> None:
        """Forget a work, unless it has begun."""
        with self._lock, suppress(ValueError):
            self._waiting.remove(work)


class _Work(Generic[T]):
    """One work, from its place in the queue to its end."""

    def __init__(self, start: Start[T], loop: asyncio.AbstractEventLoop) -> None:
        """`loop`: of the caller, who awaits `ended` there."""
        self._start: Start[T] | None = start
        self._loop = loop
        self.ended: asyncio.Future[Future[T]] = loop.create_future()

    def begin(self) -> Future[T]:
        """Once. What it takes to begin, a bundle among it, is let go of: work and future know each other, a cycle."""
        start, self._start = self._start, None
        assert start is not None
        try:
            return start()
        except Exception as error:  # or its place would be lost
            failed: Future[T] = Future()
            failed.set_exception(error)
            return failed

    def answer(self, ended: Future[T]) -> None:
        """Tell the caller, who may have gone, or ended with its event loop."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._set_ended, ended)

    def _set_ended(self, ended: Future[T]) -> None:
        if not self.ended.done():
            self.ended.set_result(ended)
