"""The boundary around every route: request id, bounded body, one log line, metrics, no error left over."""

import logging
import time
import uuid
from collections.abc import Callable, Collection
from typing import Final

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cxr.decode import MAX_BYTES
from cxr.errors import BodyTooLarge
from service.errors import answer_http_error, log_unexpected

access_log = logging.getLogger("cxr.access")

OTHER: Final = "other"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

Observe = Callable[[str, int, float, str | None], None]


class Boundary:
    """Pure ASGI, since Starlette's BaseHTTPMiddleware would copy the body through a queue.

    The request id is made here and never taken from the client, who might put a patient's number into it.
    Paths without a route are all called "other", in the log as in the metrics.
    """

    def __init__(self, app: ASGIApp, paths: Collection[str], observe: Observe) -> None:
        """`observe` is told each request's path, if it is one of `paths`, status, seconds and error code."""
        self.app = app
        self._paths = frozenset(paths)
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        request.state.request_id = uuid.uuid4().hex
        request.state.error_code = None
        request.state.started = time.perf_counter()
        await self._answer(request, _Sender(send, request.state.request_id))

    async def _answer(self, request: Request, sender: "_Sender") -> None:
        try:
            await self.app(request.scope, _bounded(request), sender)
        except Exception as error:
            log_unexpected(error, request.state.request_id)
            if not sender.status:
                await answer_http_error(request, 500)(request.scope, request.receive, sender)
        finally:
            self._record(request, sender.status or 500)

    def _record(self, request: Request, status: int) -> None:
        path = request.scope["path"]
        route = path if path in self._paths else OTHER
        seconds = time.perf_counter() - request.state.started
        self._observe(route, status, seconds, request.state.error_code)
        method = request.method if request.method in METHODS else OTHER
        access_log.info("%s %s %d %.1f ms, request %s", method, route, status, seconds * 1000, request.state.request_id)


class _Sender:
    """Sends an answer with its request id, and remembers the status."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self._request_id
            headers["Cache-Control"] = "no-store"  # answers are about patients
        await self._send(message)


def _bounded(request: Request) -> Receive:
    """A receive that raises BodyTooLarge in its reader, before the first byte if the length was declared."""
    declared = request.headers.get("content-length", "")
    left = MAX_BYTES

    async def receive() -> Message:
        nonlocal left
        if declared.isdecimal() and int(declared) > MAX_BYTES:
            raise BodyTooLarge
        message = await request.receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise BodyTooLarge
        return message

    return receive
