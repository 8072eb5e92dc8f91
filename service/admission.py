"""Admission control: which jobs run, how many at once, and until when. Nothing else in the service counts jobs."""

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

WEIGHT: Final = 0.1  # weight of the latest job in the moving average: about the last twenty jobs count

Start = Callable[[], Future[T]]
"""Starts a job in any thread without waiting for it. Its future is done when, and not before, the job has ended."""


class Admission:
    """Admits jobs in order of arrival, a limited number at once, with a limited queue.

    A place is free again when its job has ended, even if nobody waits for the result any more: a thread cannot be
    stopped, and reusing its place would let jobs accumulate when they are slow. The next job starts in the thread
    where the last one ended, so that no core waits for the event loop between two jobs.

    The queue is limited by waiting time, because the same number of places can mean one second on one machine and half
    a minute on a busier one, when clients have already gone. The number of places is limited too, because each holds a
    file in memory. BentoML's own `max_concurrency` has no queue, and its answers have neither a code nor a Retry-After.
    """

    def __init__(self, at_once: int, queue: int, wait_s: float, clock: Callable[[], float] = time.perf_counter) -> None:
        """
        Args:
            at_once: the number of jobs that run at once.
            queue: the largest number of waiting jobs.
            wait_s: a job is refused if it would wait longer than this, in seconds, estimated from recent jobs.
            clock: seconds, from any start.
        """
        self._at_once = at_once
        self._queue = queue
        self._wait_s = wait_s
        self._clock = clock
        self._lock = Lock()
        self._waiting: deque[_Job[Any]] = deque()
        self._running = 0
        self._job_s = 0.0  # moving average of the duration of a job, in seconds

    @property
    def in_flight(self) -> int:
        """The number of jobs that wait or run."""
        with self._lock:
            return self._running + len(self._waiting)

    @property
    def running(self) -> int:
        """The number of jobs that have begun and not ended. If it is 1, that job can use all cores."""
        return self._running

    @property
    def expected_wait_s(self) -> float:
        """Seconds that the next job would wait, estimated from recent jobs."""
        return self._expected_wait_s(self.in_flight)

    def check(self) -> None:
        """Raises Busy if there is no room. Call this before reading a body that could not be used."""
        in_flight = self.in_flight
        wait_s = self._expected_wait_s(in_flight)
        if in_flight >= self._at_once + self._queue or wait_s > self._wait_s:
            raise Busy(wait_s)

    async def run(self, start: Start[T], seconds: float) -> T:
        """Run one job in its turn.

        Returns:
            What the job returned.

        Raises:
            Busy: the queue is full, or too slow.
            DeadlineExceeded: there is no result within `seconds`. A job that has not begun by then never begins.
        """
        self.check()
        return await self.run_admitted(start, seconds)

    async def run_admitted(self, start: Start[T], seconds: float) -> T:
        """As `run`, but without a check: for one of several jobs after `check`, or for the second half of a job.

        Raises:
            DeadlineExceeded: as for `run`.
        """
        job = _Job(start, asyncio.get_running_loop())
        try:
            async with asyncio.timeout(seconds):
                self._admit(job)  # last, because its thread needs the interpreter from here on
                ended = await job.ended
        except TimeoutError:
            raise DeadlineExceeded from None
        finally:
            if job.ended.cancelled():
                self._withdraw(job)
        return ended.result()

    def _expected_wait_s(self, in_flight: int) -> float:
        before = max(0, in_flight - self._at_once + 1)
        return before * self._job_s / self._at_once

    def _admit(self, job: "_Job[T]") -> None:
        with self._lock:
            self._waiting.append(job)
        self._go_on()

    def _go_on(self) -> None:
        """Begin every job whose turn it is."""
        while True:
            with self._lock:  # the lock is held until the job has begun, to keep the order
                if not self._waiting or self._running == self._at_once:
                    return
                job = self._waiting.popleft()
                self._running += 1
                begun, future = self._clock(), job.begin()
            future.add_done_callback(partial(self._end, job, begun))

    def _end(self, job: "_Job[T]", begun: float, future: Future[T]) -> None:
        """Free the place of a job and start the next one, in the thread where it ended, before its result is set."""
        with self._lock:
            self._running -= 1
            if future.exception() is None:  # the duration of a refused job says nothing about other jobs
                self._job_s += (self._clock() - begun - self._job_s) * (WEIGHT if self._job_s else 1.0)
        self._go_on()
        job.answer(future)

    def _withdraw(self, job: "_Job[Any]") -> None:
        """Remove a job from the queue, unless it has begun."""
        with self._lock, suppress(ValueError):
            self._waiting.remove(job)


class _Job(Generic[T]):
    """One job, from the queue to its end."""

    def __init__(self, start: Start[T], loop: asyncio.AbstractEventLoop) -> None:
        """`loop`: the caller's event loop, in which it awaits `ended`."""
        self._start: Start[T] | None = start
        self._loop = loop
        self.ended: asyncio.Future[Future[T]] = loop.create_future()

    def begin(self) -> Future[T]:
        """Start the job; called once.

        `start` is dropped, because job and future form a reference cycle in which it would keep a bundle alive.
        """
        start, self._start = self._start, None
        assert start is not None
        try:
            return start()
        except Exception as error:  # otherwise its place would never be freed
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
