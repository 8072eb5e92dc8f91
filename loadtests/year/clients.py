"""Clients that do as docs/clients.md says: a broken connection and a refusal for lack of room are tried again.

That is what nginx does with `deploy/nginx.conf` in front of two replicas. What counts is the answer in the end.
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
"""After which a request without an answer is lost: a worker that is killed again and again may take some attempts."""
AGAIN: Final = (429, 503, 504)


class KeyRing:
    """The service's file of keys, and the one that clients use."""

    def __init__(self, path: Path) -> None:
        self.path, self.current = path, secrets.token_hex(16)
        self.open_to(self.current)

    def open_to(self, *keys: str) -> None:
        """Let these keys open the service, once it has read its file again."""
        following = self.path.with_name("keys.next")
        following.write_text("\n".join(keys))
        following.replace(self.path)


class Tally:
    """What became of the requests. Written by the clients' thread, read by any."""

    def __init__(self) -> None:
        self.answered = 0
        self.wrong: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.repeated: Counter[str] = Counter()

    def shown(self) -> str:
        """Answers, and what was tried again."""
        again = ", ".join(f"{count} × {what}" for what, count in self.repeated.most_common()) or "nothing"
        return f"{self.answered} answered; tried again: {again}"


class Clients:
    """`CLIENTS` closed loops in a thread of their own, from entry to exit."""

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
        """One request until it has its answer, or `PATIENCE_S` are over."""
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
        """Status and body, and why it has to be tried again, if it has to."""
        headers = {"Content-Type": request.sample.media_type, "X-API-Key": self._keys.current}
        try:
            async with session.post(request.route, data=io.BytesIO(request.sample.data), headers=headers) as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            return 0, b"", type(error).__name__
        return response.status, body, str(response.status) if response.status in AGAIN else None
