"""Spans: four stages in the caller's trace, without any other data of the caller; none if tracing is off."""

import asyncio
from itertools import pairwise
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cxr.model.bundle import Bundle
from service import tracing
from service.access.keys import Keys
from service.access.origins import Origins
from service.app import LIMITS, app
from service.bento.api import prepare
from service.bento.explainer import Outcome
from service.metrics import Metrics
from service.middleware import Boundary
from service.runtime import Runtime
from service.settings import Settings
from service.tracing import ENDPOINT, ExporterMissing, Tracing, from_environment
from service.uploads import Uploads
from tests import files

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CANARY = "Jane-Doe-1950"
HEADERS = {"Accept": "image/png", "User-Agent": CANARY, "tracestate": f"ward={CANARY}", "baggage": f"patient={CANARY}"}


class Explainer:
    """A fake remote explainer."""

    @property
    def to_async(self) -> "Explainer":
        return self

    async def is_ready(self) -> bool:
        return True

    async def explain(self, **_: Any) -> Outcome:
        await asyncio.sleep(0.01)
        return Outcome(files={"png": b"overlay"})


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


def explain(
    bundle: Bundle, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch, *traceparents: str
) -> tuple[list[httpx.Response], list[ReadableSpan]]:
    """Send a request for each traceparent at once. Returns the answers and all spans."""
    told = Tracing(exporter)
    runtime = Runtime(Settings(bundle=bundle.root), Metrics(), Explainer(), told)
    monkeypatch.setattr(app.state, "runtime", runtime, raising=False)
    boundary = Boundary(app, LIMITS, lambda *_: None)
    boundary.open(Keys([]), Uploads(1 << 28, 30.0), Origins(keyless=True, loopback_only=False), tracing=told)

    async def send() -> list[httpx.Response]:
        transport = httpx.ASGITransport(boundary)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            body, headers = files.radiograph_png(), HEADERS | {"Content-Type": "image/png"}
            sent = (
                client.post("/explain", content=body, headers=headers | {"traceparent": parent})
                for parent in traceparents
            )
            return await asyncio.gather(*sent)

    answers = asyncio.run(send())
    assert told.provider.force_flush()
    return answers, list(exporter.get_finished_spans())


def test_four_spans_are_under_the_callers_and_contain_nothing_else_of_it(
    bundle: Bundle, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    (answer,), spans = explain(bundle, exporter, monkeypatch, f"00-{TRACE}-{SPAN}-01")
    assert answer.status_code == 200
    assert [span.name for span in spans] == ["decode", "preprocess", "infer", "explain"]
    for span in spans:
        assert f"{span.context.trace_id:032x}" == TRACE
        assert span.parent is not None
        assert f"{span.parent.span_id:016x}" == SPAN
        assert not span.attributes
        assert not span.events
        assert CANARY not in span.to_json()
    times = [(span.start_time or 0, span.end_time or 0) for span in spans]
    slack_ns = 2_000_000  # tolerance: two clocks are read at different moments
    assert all(begin <= end for begin, end in times)
    assert all(end <= begin + slack_ns for (_, end), (begin, _) in pairwise(times))


def test_requests_at_once_keep_their_traces_apart(
    bundle: Bundle, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request without a trace uses its request id as trace id, as in the log. An unsampled request has no spans."""
    other, unsampled = TRACE[::-1], "1" * 32
    parents = (f"00-{TRACE}-{SPAN}-01", f"00-{other}-{SPAN}-01", CANARY, f"00-{unsampled}-{SPAN}-00")
    answers, spans = explain(bundle, exporter, monkeypatch, *parents)
    traces = sorted(f"{span.context.trace_id:032x}" for span in spans)
    assert traces == sorted([TRACE, other, answers[2].headers["X-Request-ID"]] * 4)


def test_it_is_off_without_an_endpoint_and_needs_an_exporter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENDPOINT, raising=False)
    assert from_environment() is None
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:9")
    found = from_environment()
    assert found is not None
    found.provider.shutdown()
    for name in ("logs.configure", "bento.api.confine", "bento.api.verify"):
        monkeypatch.setattr(f"service.{name}", lambda *_: None)
    prepare()
    monkeypatch.setattr(tracing, "find_spec", lambda _: None)
    with pytest.raises(SystemExit, match=str(ExporterMissing())[:30]):
        prepare()
