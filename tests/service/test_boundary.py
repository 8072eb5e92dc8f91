"""The boundary around the routes, in process: no detail of an internal error may be visible outside."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request

from cxr.errors import NotDecodable
from cxr.limits import MAX_BYTES
from service import errors
from service.access.keys import Keys
from service.access.origins import Origins
from service.access.rates import RateLimit
from service.logs import JsonLines
from service.middleware import Boundary
from service.refusals import Busy, DeadlineExceeded, ExplainerUnavailable
from service.uploads import FILE, Uploads

SECRET = "Jane^Doe"
MIB = bytes(1024 * 1024)


class Observed:
    """An app with its boundary, and the boundary's observation of each request."""

    def __init__(self) -> None:
        self.app = FastAPI()
        errors.install(self.app)
        self.seen: list[tuple[str, int, str | None]] = []
        self.boundary = Boundary(self.app, {"/route": FILE}, self._observe)
        self.open()

    def open(
        self, *keys: str, max_bytes: int = 2 * MAX_BYTES, seconds: float = 30.0, limit: RateLimit | None = None
    ) -> None:
        self.uploads = Uploads(max_bytes, seconds)
        self.boundary.open(Keys(keys), self.uploads, Origins(keyless=not keys, loopback_only=False), limit)

    def _observe(self, path: str, status: int, seconds: float, code: str | None) -> None:
        assert seconds >= 0
        self.seen.append((path, status, code))

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.boundary)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, **options)

        return asyncio.run(send())


@pytest.fixture
def observed() -> Observed:
    return Observed()


def test_an_unexpected_error_is_a_500_without_its_text(
    observed: Observed, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    @observed.app.get("/route")
    def route() -> None:
        raise ValueError(SECRET)

    monkeypatch.setattr(logging.getLogger("cxr"), "propagate", True)
    answer = observed.request("GET", "/route")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal_error"
    assert observed.seen == [("/route", 500, "internal_error")]
    line = next(record.getMessage() for record in caplog.records if record.name == "cxr.service")
    assert line.startswith("unexpected ValueError at tests/service/test_boundary.py:")
    assert SECRET not in answer.text + caplog.text
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (NotDecodable, 422, None),
        (Busy, 429, "1"),
        (ExplainerUnavailable, 503, "5"),
        (DeadlineExceeded, 504, None),
    ],
)
def test_named_errors(observed: Observed, error: Any, status: int, retry_after: str | None) -> None:
    @observed.app.get("/route")
    def route() -> None:
        raise error

    answer = observed.request("GET", "/route")
    assert answer.status_code == status
    assert answer.headers.get("Retry-After") == retry_after
    assert answer.json()["error"] == {
        "code": error.code,
        "message": error.message,
        "request_id": answer.headers["X-Request-ID"],
    }
    assert observed.seen == [("/route", status, error.code)]


def test_a_validation_error_does_not_echo_the_input(observed: Observed) -> None:
    @observed.app.get("/route")
    def route(number: int) -> int:
        return number

    answer = observed.request("GET", "/route", params={"number": SECRET})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "malformed_request"
    assert "Doe" not in answer.text


def test_a_path_without_a_route_is_called_other(observed: Observed) -> None:
    assert observed.request("GET", f"/{SECRET}").json()["error"]["code"] == "not_found"
    assert observed.seen == [("other", 404, "not_found")]


def test_a_key_over_its_rate_gets_a_retry_after(observed: Observed) -> None:
    """Only that key is limited, and paths that need no key have no limit."""
    observed.boundary = Boundary(observed.app, {"/route": FILE}, observed._observe, public={"/page": "page"})
    observed.open("first", "second", limit=RateLimit(2))
    first, second = {"x-api-key": "first"}, {"authorization": "Bearer second"}
    assert [observed.request("GET", "/route", headers=first).status_code for _ in range(3)] == [404, 404, 429]
    refused = observed.request("POST", "/route", headers=first, content=MIB)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limited")
    assert 1 <= int(refused.headers["Retry-After"]) <= 30
    assert observed.seen[-1] == ("/route", 429, "rate_limited")
    assert observed.request("GET", "/route", headers=second).status_code == 404
    assert observed.request("GET", "/route").status_code == 401
    assert {observed.request("GET", "/page").status_code for _ in range(4)} == {404}


def test_the_request_id_is_never_the_clients(observed: Observed) -> None:
    first, second = (
        observed.request("GET", "/nothing", headers={"X-Request-ID": SECRET}).headers["X-Request-ID"] for _ in range(2)
    )
    assert len({first, second, SECRET}) == 3


def test_a_body_of_the_limit_passes_and_one_byte_more_does_not(observed: Observed) -> None:
    @observed.app.post("/route")
    async def route(request: Request) -> int:
        return len(await request.body())

    assert observed.request("POST", "/route", content=bytes(MAX_BYTES)).json() == MAX_BYTES
    assert observed.request("POST", "/route", content=bytes(MAX_BYTES + 1)).status_code == 413


def test_an_endless_chunked_body_is_read_no_further_than_the_limit(observed: Observed) -> None:
    read = 0

    @observed.app.post("/route")
    async def route(request: Request) -> None:
        async for _ in request.stream():
            pass

    async def scenario() -> list[int]:
        async def receive() -> dict[str, Any]:
            nonlocal read
            read += len(MIB)
            return {"type": "http.request", "body": MIB, "more_body": True}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        statuses: list[int] = []
        scope = {"type": "http", "method": "POST", "path": "/route", "raw_path": b"/route", "headers": []}
        await observed.boundary(scope | {"query_string": b"", "root_path": ""}, receive, send)
        return statuses

    assert asyncio.run(scenario()) == [413]
    assert read <= MAX_BYTES + len(MIB)


def test_a_declared_length_over_the_limit_is_refused_before_the_first_byte(observed: Observed) -> None:
    @observed.app.post("/route")
    async def route(request: Request) -> None:
        await request.body()

    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    answer = observed.request("POST", "/route", content=never(), headers={"Content-Length": str(MAX_BYTES + 1)})
    assert answer.status_code == 413


def test_a_disconnect_is_counted_and_logs_no_error(observed: Observed, caplog: pytest.LogCaptureFixture) -> None:
    @observed.app.post("/route")
    async def route(request: Request) -> None:
        await request.body()

    async def scenario() -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.disconnect"}

        async def send(_: Any) -> None:
            pass

        scope = {"type": "http", "method": "POST", "path": "/route", "raw_path": b"/route", "headers": []}
        await observed.boundary(scope | {"query_string": b"", "root_path": ""}, receive, send)

    asyncio.run(scenario())
    assert observed.seen == [("/route", 499, "client_disconnected")]
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_request_without_a_key_never_reaches_the_app(observed: Observed) -> None:
    @observed.app.post("/route")
    def route() -> None:
        raise AssertionError("it came in")

    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    observed.open("0123456789abcdef")
    answer = observed.request("POST", "/route", content=never())
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")
    assert observed.request("POST", "/route", headers={"X-API-Key": SECRET}).status_code == 403
    assert observed.seen == [("/route", 401, "unauthorized"), ("/route", 403, "forbidden")]


def test_a_body_counts_until_its_request_is_answered(observed: Observed) -> None:
    @observed.app.post("/route")
    async def route(request: Request) -> int:
        size = len(await request.body())
        with pytest.raises(Busy):
            observed.uploads.take(1)
        return size

    observed.open(max_bytes=1000)
    for _ in range(3):
        assert observed.request("POST", "/route", content=bytes(1000)).json() == 1000
    answer = observed.request("POST", "/route", content=bytes(1001))
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "busy")
    observed.uploads.take(1000)


def test_a_slow_body_is_a_408_that_closes_its_connection(observed: Observed) -> None:
    @observed.app.post("/route")
    async def route(request: Request) -> None:
        await request.body()

    async def slow() -> AsyncIterator[bytes]:
        yield b"1"
        await asyncio.sleep(30)

    observed.open(seconds=0.01)
    answer = observed.request("POST", "/route", content=slow())
    assert answer.status_code == 408
    assert answer.headers["Connection"] == "close"


@pytest.fixture
def access_log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(logging.getLogger("cxr"), "propagate", True)
    caplog.set_level(logging.INFO, "cxr.access")
    return caplog


TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize(
    ("traceparent", "followed"),
    [
        (f"00-{TRACE}-b7ad6b7169203331-01", True),
        (f"cc-{TRACE}-b7ad6b7169203331-01-more", True),
        (f"ff-{TRACE}-b7ad6b7169203331-01", False),
        (f"00-{'0' * 32}-b7ad6b7169203331-01", False),
        (f"00-{TRACE}-{'0' * 16}-01", False),
        (f"00-{TRACE.upper()}-b7ad6b7169203331-01", False),
        (SECRET, False),
        ("", False),
    ],
)
def test_the_callers_trace_is_followed_if_it_is_one(
    observed: Observed, traceparent: str, followed: bool, access_log: pytest.LogCaptureFixture
) -> None:
    answer = observed.request("GET", f"/{SECRET}?{SECRET}", headers={"traceparent": traceparent})
    record = next(record for record in access_log.records if record.name == "cxr.access")
    line = json.loads(JsonLines().format(record))
    assert line["request_id"] == answer.headers["X-Request-ID"]
    assert line["trace_id"] == (TRACE if followed else line["request_id"])
    assert (line["method"], line["route"], line["status"], line["code"]) == ("GET", "other", 404, "not_found")
    assert SECRET not in json.dumps(line)
