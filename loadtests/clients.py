"""Clients of a service: closed loops, where each waits for its answer, and Poisson arrivals, where nobody waits."""

import asyncio
import io
import itertools
import random
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import aiohttp
import numpy as np
import uvloop

from loadtests.golden import GoldenRequest

TIMEOUT_S: Final = 120.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of one request. `status` is 0 where no answer came; times are of `time.monotonic()`."""

    request: GoldenRequest
    begun: float
    seconds: float
    status: int
    right: bool
    error: str = ""

    @property
    def refused(self) -> bool:
        """The service said that it has no room."""
        return self.status in (429, 503)

    @property
    def late(self) -> bool:
        """The service said that its time was over."""
        return self.status == 504

    @property
    def lost(self) -> bool:
        """No answer came."""
        return self.status == 0

    @property
    def wrong(self) -> bool:
        """An answer that contradicts the golden one; a refusal contradicts nothing."""
        return self.status == 200 and not self.right

    @property
    def failed(self) -> bool:
        """A 5xx that is no honest refusal."""
        return self.status >= 500 and not self.refused


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run one load in an event loop that costs the servers little of their processor."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def lasting(seconds: float) -> Callable[[], bool]:
    """True for so many seconds from now."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


async def closed_loop(url: str, asked: Sequence[GoldenRequest], clients: int, going: Callable[[], bool]) -> list[Reply]:
    """So many clients, each asking its next request when it has the answer to the last; all requests in turn."""
    replies: list[Reply] = []
    turn = itertools.cycle(asked)

    async def client(session: aiohttp.ClientSession) -> None:
        while going():
            replies.append(await ask(session, next(turn)))

    async with _session(url) as session:
        await asyncio.gather(*(client(session) for _ in range(clients)))
    return replies


async def poisson(
    url: str, asked: Sequence[GoldenRequest], rate: float, going: Callable[[], bool], seed: int = 0
) -> list[Reply]:
    """Requests at exponential intervals, `rate` a second on average, however slow the answers are."""
    chance = random.Random(seed)
    turn = itertools.cycle(asked)
    tasks = []
    due = time.monotonic()
    async with _session(url) as session, asyncio.TaskGroup() as group:
        while going():
            due += chance.expovariate(rate)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            tasks.append(group.create_task(ask(session, next(turn))))
    return [task.result() for task in tasks]


async def ask(session: aiohttp.ClientSession, request: GoldenRequest) -> Reply:
    """One request; a broken connection is a reply too."""
    begun = time.monotonic()
    headers = {"Content-Type": request.sample.media_type}
    body = io.BytesIO(request.sample.data)  # sent in pieces: megabytes at once would hold up the other clients
    try:
        async with session.post(request.route, data=body, headers=headers) as response:
            answer = await response.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        return Reply(request, begun, time.monotonic() - begun, 0, False, type(error).__name__)
    seconds = time.monotonic() - begun
    return Reply(request, begun, seconds, response.status, request.is_answered_by(response.status, answer))


def milliseconds(replies: Iterable[Reply], *percentiles: float) -> list[float]:
    """Percentiles of the time to an answer; NaN where there is none."""
    return list(np.percentile([reply.seconds * 1000 for reply in replies] or [np.nan], percentiles))


def _session(url: str) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=0)
    return aiohttp.ClientSession(url, connector=connector, timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
