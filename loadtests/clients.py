"""Clients of a service: closed loops, which wait for each answer, and Poisson arrivals, which do not wait."""

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

from loadtests.golden import REFUSING, GoldenRequest

TIMEOUT_S: Final = 120.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reply:
    """The outcome of one request. `status` is 0 without an answer; times are of `time.monotonic()`."""

    request: GoldenRequest
    begun: float
    seconds: float
    status: int
    right: bool
    error: str = ""

    @property
    def refused(self) -> bool:
        """Refused because the service is at capacity."""
        return self.status in REFUSING

    @property
    def late(self) -> bool:
        """Refused because the deadline passed."""
        return self.status == 504

    @property
    def lost(self) -> bool:
        """There was no answer."""
        return self.status == 0

    @property
    def wrong(self) -> bool:
        """An answer that differs from the golden one. A refusal for lack of capacity does not count."""
        return self.status == 200 and not self.right

    @property
    def failed(self) -> bool:
        """A 5xx that is not a refusal for lack of capacity or time."""
        return self.status >= 500 and not self.refused


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a load in an event loop that takes little CPU time from the servers."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def lasting(seconds: float) -> Callable[[], bool]:
    """Returns true for `seconds` from now on."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


async def closed_loop(url: str, asked: Sequence[GoldenRequest], clients: int, going: Callable[[], bool]) -> list[Reply]:
    """A closed loop: each client sends its next request when it has the last answer; requests in turn."""
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
    """Requests at exponential intervals, `rate` per second on average, independent of the answers."""
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
    """Send one request. A broken connection gives a reply too."""
    begun = time.monotonic()
    headers = {"Content-Type": request.sample.media_type}
    body = io.BytesIO(request.sample.data)  # sent in pieces, because megabytes at once would delay the other clients
    try:
        async with session.post(request.route, data=body, headers=headers) as response:
            answer = await response.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        return Reply(request, begun, time.monotonic() - begun, 0, False, type(error).__name__)
    seconds = time.monotonic() - begun
    return Reply(request, begun, seconds, response.status, request.is_answered_by(response.status, answer))


def milliseconds(replies: Iterable[Reply], *percentiles: float) -> list[float]:
    """Percentiles of the response time; NaN without answers."""
    return list(np.percentile([reply.seconds * 1000 for reply in replies] or [np.nan], percentiles))


def _session(url: str) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=0)
    return aiohttp.ClientSession(url, connector=connector, timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
