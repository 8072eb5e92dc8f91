"""A bounded number of works at once, a bounded queue before them, and a deadline over both."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from cxr.errors import Busy, DeadlineExceeded

T = TypeVar("T")

WEIGHT: Final = 0.1  # of the latest work in the average: the last twenty or so decide


@dataclass(frozen=True, slots=True)
class After(Generic[T]):
    """A work with a first part, done before it takes a slot: where something else bounds how many do so at once."""

    first: Callable[[], Awaitable[None]]
    then: Callable[[], Awaitable[T]]

    async def __call__(self) -> T:
        """What is done with a slot."""
        return await self.then()


class Gate(Generic[T]):
    """Admits works in the order of their arrival.

    BentoML's own `max_concurrency` has no queue, and its answers have neither a code nor a Retry-After.

    The queue is bounded in time: so many places are a second of waiting on one machine and half a minute on a busier
    one, and who waits that long has gone. A bound on places stays, since each holds a file in memory.
    """

    def __init__(self, at_once: int, queue: int, wait_s: float) -> None:
        """
        Args:
            at_once: works that run at once.
            queue: works that wait, at most.
            wait_s: none is admitted that would wait for longer, as works took lately.
        """
        self._slots = asyncio.Semaphore(at_once)
        self._places = at_once + queue
        self._at_once = at_once
        self._taken = 0
        self._wait_s = wait_s
        self._work_s = 0.0  # moving average of the seconds of a work

    @property
    def in_flight(self) -> int:
        """How many works wait or run."""
        return self._taken

    @property
    def running(self) -> int:
        """How many works have a slot, or are about to take one that is free."""
        return min(self._taken, self._at_once)

    @property
    def expected_wait_s(self) -> float:
        """Seconds that the next work would wait, if works go on as they went lately."""
        before = max(0, self._taken - self._at_once + 1)
        return before * self._work_s / self._at_once

    def check(self) -> None:
        """Raises Busy when there is no room: ask before reading a body that could not be used."""
        wait_s = self.expected_wait_s
        if self._taken >= self._places or wait_s > self._wait_s:
            raise Busy(wait_s)

    async def run(self, work: Callable[[], Awaitable[T]], seconds: float) -> tuple[T, float]:
        """Run one work in its turn.

        A work that has begun keeps its slot to its end, deadline or not: a thread cannot be stopped, and giving
        its slot away would let works pile up exactly when they are slow.

        Returns:
            What the work returned, and the milliseconds that it waited for a slot.

        Raises:
            Busy: the queue is full, or too slow.
            DeadlineExceeded: no result within so many seconds.
        """
        self.check()
        return await self._begin(work).result(seconds)

    async def run_all(
        self, works: Iterable[Callable[[], Awaitable[T]]], seconds: float
    ) -> list[tuple[T, float] | BaseException]:
        """Run several works that came together: all of them are admitted if one would be.

        Returns:
            For each work, in order, what `run` would have returned or raised.

        Raises:
            Busy: the queue is full, or too slow.
        """
        self.check()
        turns = [self._begin(work) for work in works]  # at once, so that none is refused for the others' sake
        return await asyncio.gather(*(turn.result(seconds) for turn in turns), return_exceptions=True)

    def _begin(self, work: Callable[[], Awaitable[T]]) -> "_Turn[T]":
        self._taken += 1
        turn = _Turn(work.first if isinstance(work, After) else None, self._timed(work), self._slots)
        turn.task.add_done_callback(self._leave)
        return turn

    def _timed(self, work: Callable[[], Awaitable[T]]) -> Callable[[], Awaitable[T]]:
        async def timed() -> T:
            start = time.perf_counter()
            try:
                return await work()
            finally:
                self._note(time.perf_counter() - start)

        return timed

    def _note(self, seconds: float) -> None:
        self._work_s += (seconds - self._work_s) * (WEIGHT if self._work_s else 1.0)

    def _leave(self, task: "asyncio.Task[T]") -> None:
        self._taken -= 1
        if not task.cancelled():
            task.exception()  # seen, so that asyncio logs no exception of a work that outlived its deadline


class _Turn(Generic[T]):
    """One work, from its place in the queue to its result."""

    def __init__(
        self, first: Callable[[], Awaitable[None]] | None, work: Callable[[], Awaitable[T]], slots: asyncio.Semaphore
    ) -> None:
        self._first = first
        self._work = work
        self._begun = False
        self._waited_ms = 0.0
        self.task = asyncio.create_task(self._take(slots))

    async def result(self, seconds: float) -> tuple[T, float]:
        done, _ = await asyncio.wait({self.task}, timeout=seconds)
        if done:
            return self.task.result(), self._waited_ms
        if not self._begun:
            self.task.cancel()
        raise DeadlineExceeded

    async def _take(self, slots: asyncio.Semaphore) -> T:
        if self._first is not None:
            await self._first()
        start = time.perf_counter()
        async with slots:
            self._begun = True
            self._waited_ms = (time.perf_counter() - start) * 1000
            return await self._work()
