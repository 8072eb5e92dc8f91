"""A bounded number of works at once, a bounded queue before them, and a deadline over both."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, TypeVar

from cxr.errors import Busy, DeadlineExceeded

T = TypeVar("T")


class Gate(Generic[T]):
    """Admits works in the order of their arrival.

    BentoML's own `max_concurrency` has no queue, and its answers have neither a code nor a Retry-After.
    """

    def __init__(self, at_once: int, queue: int) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._places = at_once + queue
        self._at_once = at_once
        self._taken = 0

    @property
    def in_flight(self) -> int:
        """How many works wait or run."""
        return self._taken

    @property
    def running(self) -> int:
        """How many works have a slot, or are about to take one that is free."""
        return min(self._taken, self._at_once)

    def check(self) -> None:
        """Raises Busy when there is no place left: ask before reading a body that could not be used."""
        if self._taken >= self._places:
            raise Busy

    async def run(self, work: Callable[[], Awaitable[T]], seconds: float) -> tuple[T, float]:
        """Run one work in its turn.

        A work that has begun keeps its slot to its end, deadline or not: a thread cannot be stopped, and giving
        its slot away would let works pile up exactly when they are slow.

        Returns:
            What the work returned, and the milliseconds that it waited.

        Raises:
            Busy: the queue is full.
            DeadlineExceeded: no result within so many seconds.
        """
        self.check()
        return await self._begin(work).result(seconds)

    async def run_all(
        self, works: Iterable[Callable[[], Awaitable[T]]], seconds: float
    ) -> list[tuple[T, float] | BaseException]:
        """Run several works that came together: all of them are admitted if there is one place left.

        Returns:
            For each work, in order, what `run` would have returned or raised.

        Raises:
            Busy: the queue is full.
        """
        self.check()
        turns = [self._begin(work) for work in works]  # at once, so that none is refused for the others' sake
        return await asyncio.gather(*(turn.result(seconds) for turn in turns), return_exceptions=True)

    def _begin(self, work: Callable[[], Awaitable[T]]) -> "_Turn[T]":
        self._taken += 1
        turn = _Turn(work, self._slots)
        turn.task.add_done_callback(self._leave)
        return turn

    def _leave(self, task: "asyncio.Task[T]") -> None:
        self._taken -= 1
        if not task.cancelled():
            task.exception()  # seen, so that asyncio logs no exception of a work that outlived its deadline


class _Turn(Generic[T]):
    """One work, from its place in the queue to its result."""

    def __init__(self, work: Callable[[], Awaitable[T]], slots: asyncio.Semaphore) -> None:
        self._work = work
        self._start = time.perf_counter()
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
        async with slots:
            self._begun = True
            self._waited_ms = (time.perf_counter() - self._start) * 1000
            return await self._work()
