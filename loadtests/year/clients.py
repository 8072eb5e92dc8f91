"""Clients that follow docs/clients.md: they retry after a broken connection and after a refusal for lack of capacity.

nginx does the same with `deploy/nginx.conf` before two replicas. Only the final answer counts.
"""

import asyncio
import io
import itertools
import secrets
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import aiohttp

from loadtests.clients import run
from loadtests.golden import GoldenRequest

CLIENTS: Final = 3
PATIENCE_S: Final = 180.0
"""Seconds after which a request without an answer counts as lost. Repeated kills may need several attempts."""
AGAIN: Final = (429, 503, 504)


class KeyRing:
    """The service's file of keys, and the key that clients use."""

    def __init__(self, path: Path) -> None:
        self.path, self.current = path, secrets.token_hex(16)
        self.open_to(self.current)

    def open_to(self, *keys: str) -> None:
        """Make these keys the valid ones, as soon as the service has read its file again."""
        following = self.path.with_name("keys.next")
        following.write_text("\n".join(keys))
        following.replace(self.path)


class Tally:
    """The outcomes of all requests. Written by the clients' thread, read by any thread."""

    def __init__(self) -> None:
        self.answered = 0
        self.wrong: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.repeated: Counter[str] = Counter()

    def shown(self) -> str:
        """One line: the number of answers, and the reasons for retries."""
        again = ", ".join(f"{count} × {what}" for what, count in self.repeated.most_common()) or "nothing"
        return f"{self.answered} answered; retried: {again}"


class Clients:
    """`CLIENTS` closed loops in a separate thread, from entry to exit of the context."""

    def __init__(self, url: str, asked: Sequence[GoldenRequest], keys: "KeyRing") -> None:
        self._url, self._asked, self._keys = url, itertools.cycle(asked), keys
        self.tally = Tally()
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: run(self._work()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    async def _work(self) -> None:
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(self._url, timeout=timeout) as session, asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(self._loop(session))

    async def _loop(self, session: aiohttp.ClientSession) -> None:
        while not self._over.is_set():
            await self._ask(session, next(self._asked))

    async def _ask(self, session: aiohttp.ClientSession, request: GoldenRequest) -> None:
        """Send one request until it has its answer, or for `PATIENCE_S` seconds."""
        end = time.monotonic() + PATIENCE_S
        while True:
            status, body, what = await self._attempt(session, request)
            if what is None:
                break
            self.tally.repeated[what] += 1
            if time.monotonic() > end:
                self.tally.lost[what] += 1
                return
            await asyncio.sleep(1)
        self.tally.answered += 1
        if not request.is_answered_by(status, body):
            self.tally.wrong[f"{request.route} {status}"] += 1

    async def _attempt(self, session: aiohttp.ClientSession, request: GoldenRequest) -> tuple[int, bytes, str | None]:
        """Status and body, and the reason to retry, if any."""
        headers = {"Content-Type": request.sample.media_type, "X-API-Key": self._keys.current}
        try:
            async with session.post(request.route, data=io.BytesIO(request.sample.data), headers=headers) as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            return 0, b"", type(error).__name__
        return response.status, body, str(response.status) if response.status in AGAIN else None
