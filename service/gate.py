"""A bounded number of works at once, a bounded queue before them, and a deadline over both."""

import asyncio
import time
from collections.abc import Awaitable, Callable
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
        self._taken = 0

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
        turn = _Turn(work)
        self._taken += 1
        task = asyncio.create_task(turn.take(self._slots))
        task.add_done_callback(self._leave)
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if done:
            return task.result(), turn.waited_ms
        if not turn.begun:
            task.cancel()
        raise DeadlineExceeded

    def _leave(self, task: "asyncio.Task[T]") -> None:
        self._taken -= 1
        if not task.cancelled():
            task.exception()  # seen, so that asyncio logs no exception of a work that outlived its deadline


class _Turn(Generic[T]):
    """One work and how long it waited."""

    def __init__(self, work: Callable[[], Awaitable[T]]) -> None:
        self._work = work
        self._start = time.perf_counter()
        self.begun = False
        self.waited_ms = 0.0

    async def take(self, slots: asyncio.Semaphore) -> T:
        async with slots:
            self.begun = True
            self.waited_ms = (time.perf_counter() - self._start) * 1000
            return await self._work()
