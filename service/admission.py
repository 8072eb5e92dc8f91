"""Admission control: which works run, how many at once, and until when. Nothing else in the service counts works."""

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

WEIGHT: Final = 0.1  # weight of the latest work in the moving average: about the last twenty works count

Start = Callable[[], Future[T]]
"""Starts a work in any thread without waiting for it. Its future is done when, and not before, the work has ended."""


class Admission:
    """Admits works in order of arrival, a limited number at once, with a limited queue.

    A place is free again when its work has ended, even if nobody waits for the result any more: a thread cannot be
    stopped, and reusing its place would let works accumulate when they are slow. The next work starts in the thread
    where the last one ended, so that no core waits for the event loop between two works.

    The queue is limited by waiting time, because the same number of places can mean one second on one machine and half
    a minute on a busier one, when clients have already gone. The number of places is limited too, because each holds a
    file in memory. BentoML's own `max_concurrency` has no queue, and its answers have neither a code nor a Retry-After.
    """

    def __init__(self, at_once: int, queue: int, wait_s: float, clock: Callable[[], float] = time.perf_counter) -> None:
        """
        Args:
            at_once: the number of works that run at once.
            queue: the largest number of waiting works.
            wait_s: a work is refused if it would wait longer than this, estimated from recent works.
            clock: seconds, from any start.
        """
        self._at_once = at_once
        self._queue = queue
        self._wait_s = wait_s
        self._clock = clock
        self._lock = Lock()
        self._waiting: deque[_Work[Any]] = deque()
        self._running = 0
        self._work_s = 0.0  # moving average of the duration of a work, in seconds

    @property
    def in_flight(self) -> int:
        """The number of works that wait or run."""
        with self._lock:
            return self._running + len(self._waiting)

    @property
    def running(self) -> int:
        """The number of works that have begun and not ended. If it is 1, that work can use all cores."""
        return self._running

    @property
    def expected_wait_s(self) -> float:
        """Seconds that the next work would wait, estimated from recent works."""
        return self._expected_wait_s(self.in_flight)

    def check(self) -> None:
        """Raises Busy if there is no room. Call this before reading a body that could not be used."""
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
            DeadlineExceeded: there is no result within `seconds`. A work that has not begun by then never begins.
        """
        self.check()
        return await self.run_admitted(start, seconds)

    async def run_admitted(self, start: Start[T], seconds: float) -> T:
        """The same without a check: for one of several works after `check`, or for the second half of a work.

        Raises:
            DeadlineExceeded: as for `run`.
        """
        work = _Work(start, asyncio.get_running_loop())
        try:
            async with asyncio.timeout(seconds):
                self._admit(work)  # last, because its thread needs the interpreter from here on
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
            with self._lock:  # the lock is held until the work has begun, to keep the order
                if not self._waiting or self._running == self._at_once:
                    return
                work = self._waiting.popleft()
                self._running += 1
                begun, future = self._clock(), work.begin()
            future.add_done_callback(partial(self._end, work, begun))

    def _end(self, work: "_Work[T]", begun: float, future: Future[T]) -> None:
        """Free the place of a work and start the next one, in the thread where it ended, before its result is set."""
        with self._lock:
            self._running -= 1
            if future.exception() is None:  # the duration of a refused work says nothing about other works
                self._work_s += (self._clock() - begun - self._work_s) * (WEIGHT if self._work_s else 1.0)
        self._go_on()
        work.answer(future)

    def _withdraw(self, work: "_Work[Any]") -> None:
        """Forget a work, unless it has begun."""
        with self._lock, suppress(ValueError):
            self._waiting.remove(work)


class _Work(Generic[T]):
    """One work, from the queue to its end."""

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
        """Deliver the result to the caller, which may have gone or ended with its event loop."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._set_ended, ended)

    def _set_ended(self, ended: Future[T]) -> None:
        if not self.ended.done():
            self.ended.set_result(ended)
