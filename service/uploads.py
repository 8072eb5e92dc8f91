"""Limit incoming bodies, each and all together, in size and time, before memory is allocated."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from fastapi import Request
from starlette.types import Message

from cxr.errors import BodyTooLarge, TooLarge
from cxr.limits import MAX_BYTES
from service.limits import MAX_FORM_BYTES
from service.refusals import BatchTooLarge, Busy, UploadTooSlow


@dataclass(frozen=True)
class Limit:
    """The largest body, and the refusal of a larger one."""

    max_bytes: int
    refusal: type[TooLarge]


FILE: Final = Limit(MAX_BYTES, BodyTooLarge)
BATCH: Final = Limit(MAX_FORM_BYTES, BatchTooLarge)


class Uploads:
    """The limit on the memory of all bodies together.

    A body counts until its request is answered. Bytes count when they arrive and not when they are announced, so that
    no client can reserve memory without sending.
    """

    def __init__(self, max_bytes: int, seconds: float) -> None:
        self.seconds = seconds
        self._left = max_bytes

    def take(self, count: int) -> None:
        """Reserve `count` bytes. Raises Busy if there is no room."""
        if count > self._left:
            raise Busy
        self._left -= count

    def release(self, count: int) -> None:
        self._left += count


class Body:
    """The body of one request. Its reader calls `receive`; call `release` once the request is answered."""

    def __init__(self, request: Request, limit: Limit, uploads: Uploads) -> None:
        self._request = request
        self._limit = limit
        self._uploads = uploads
        self._deadline = time.monotonic() + uploads.seconds
        self._held = 0
        self._complete = False
        self._declared = request.headers.get("content-length", "")

    async def receive(self) -> Message:
        """The next message.

        Raises:
            TooLarge: more than the limit; before the first byte if the length was declared.
            UploadTooSlow: it did not arrive before the deadline.
            Busy: all bodies together have reached their limit.
        """
        if self._complete:  # the only further message is the client's disconnection
            return await self._request.receive()
        if self._declared.isdecimal() and int(self._declared) > self._limit.max_bytes:
            raise self._limit.refusal
        message = await self._in_time()
        self._complete = not message.get("more_body", False)
        self._hold(len(message.get("body", b"")))
        return message

    def release(self) -> None:
        """Release the reserved bytes."""
        self._uploads.release(self._held)
        self._held = 0

    async def _in_time(self) -> Message:
        try:
            async with asyncio.timeout(self._deadline - time.monotonic()):
                return await self._request.receive()
        except TimeoutError:
            raise UploadTooSlow from None

    def _hold(self, count: int) -> None:
        if self._held + count > self._limit.max_bytes:
            raise self._limit.refusal
        self._uploads.take(count)
        self._held += count
