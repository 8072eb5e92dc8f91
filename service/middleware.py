"""The boundary around every route: request id, origin, key, rate, limit on the body, log line, metrics, errors."""

import logging
import re
import time
import uuid
from collections.abc import Callable, Mapping
from math import ceil
from typing import Final

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.access.keys import Keys
from service.access.origins import Origins
from service.access.rates import RateLimit
from service.errors import answer_http_error, answer_named, log_unexpected
from service.tracing import Tracing
from service.uploads import FILE, Body, Limit, Uploads

access_log = logging.getLogger("cxr.access")

OTHER: Final = "other"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
_SAMPLED: Final = "01"

_NONE: Final[Mapping[str, str]] = {}

Observe = Callable[[str, int, float, str | None], None]


class Boundary:
    """Pure ASGI middleware, because Starlette's BaseHTTPMiddleware would copy the body through a queue.

    The request id is made here and never taken from the client, which might put a patient's number into it. Log and
    metrics call all paths without a route "other".
    """

    def __init__(
        self, app: ASGIApp, limits: Mapping[str, Limit], observe: Observe, public: Mapping[str, str] = _NONE
    ) -> None:
        """No request passes before `open` is called.

        Args:
            app: the wrapped app.
            limits: every path that has a route, with the limit on its bodies.
            observe: called with each request's path (if it has a route), status, seconds and error code.
            public: further paths, which need no key, with their names in log and metrics.
        """
        self.app = app
        self._limits = limits
        self._observe = observe
        self._public = public

    def open(
        self,
        keys: Keys,
        uploads: Uploads,
        origins: Origins,
        limit: RateLimit | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """Accept requests with a valid key and origin, within the rate limit and the limit on all bodies together."""
        self._tracing = tracing
        self._keys = keys
        self._origins = origins
        self._uploads = uploads
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = _begin(Request(scope, receive))
        await self._answer(request, _Sender(send, request.state.request_id))

    async def _answer(self, request: Request, sender: "_Sender") -> None:
        if self._tracing:
            self._tracing.begin(*_trace(request))
        body = Body(request, self._limits.get(request.scope["path"], FILE), self._uploads)
        try:
            await self._inside(request)(request.scope, body.receive, sender)
        except Exception as error:
            log_unexpected(error, request.state.request_id)
            if not sender.status:
                await answer_http_error(request, 500)(request.scope, request.receive, sender)
        finally:
            body.release()
            self._record(request, sender.status or 500)

    def turn_away(self, status: int) -> Response:
        """The answer to a request that `service.bento.protocol` refused before it was complete. Counted and logged."""
        scope = {"type": "http", "method": OTHER, "path": "", "headers": [], "state": {}}
        request = _begin(Request(scope))
        answer = answer_http_error(request, status, {"Retry-After": "1"} if status == 503 else None)
        answer.headers.update(_common_headers(request.state.request_id))
        self._record(request, status)
        return answer

    def _inside(self, request: Request) -> ASGIApp:
        """The app, or the answer that refuses the request."""
        refusal = self._origins.refusal(request.method, request.headers)
        if refusal is not None:
            return answer_named(request, refusal())
        if request.scope["path"] in self._public:
            return self.app
        status = self._keys.refusal(request.headers)
        if status is not None:
            return answer_http_error(request, status, {"WWW-Authenticate": "Bearer"} if status == 401 else None)
        wait_s = self._limit.wait_s(self._keys.caller(request.headers)) if self._limit else 0.0
        return answer_http_error(request, 429, {"Retry-After": str(ceil(wait_s))}) if wait_s else self.app

    def _record(self, request: Request, status: int) -> None:
        path = request.scope["path"]
        route = path if path in self._limits else self._public.get(path, OTHER)
        seconds = time.perf_counter() - request.state.started
        self._observe(route, status, seconds, request.state.error_code)
        method = request.method if request.method in METHODS else OTHER
        fields = {
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1000, 1),
            "code": request.state.error_code,
            "request_id": request.state.request_id,
            "trace_id": _trace(request)[0],
        }
        access_log.info("request", extra={"fields": fields})


def _begin(request: Request) -> Request:
    """The request with the boundary's state added."""
    request.state.request_id = uuid.uuid4().hex
    request.state.error_code = None
    request.state.started = time.perf_counter()
    return request


def _common_headers(request_id: str) -> dict[str, str]:
    """The headers of every answer."""
    return {"X-Request-ID": request_id, "Cache-Control": "no-store"}  # answers are about patients


def _trace(request: Request) -> tuple[str, str, str]:
    """The caller's trace, span and flags from a W3C Trace Context header; without one a new trace."""
    parent = _TRACEPARENT.fullmatch(request.headers.get("traceparent", ""))
    request_id: str = request.state.request_id
    return (parent[1], parent[2], parent[3]) if parent else (request_id, request_id[16:], _SAMPLED)


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
            for name, value in _common_headers(self._request_id).items():
                headers.setdefault(name, value)
        await self._send(message)
