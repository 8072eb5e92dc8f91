"""Tracing: spans of a request's stages (decode, preprocess, infer, explain) in its caller's trace.

It is off unless OpenTelemetry's OTEL_EXPORTER_OTLP_ENDPOINT is set, and then needs the extra `otel`. A span has a name
and two times but no attributes: of the request it contains only the trace's ids.
"""

import os
import time
from contextvars import ContextVar
from importlib.util import find_spec
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
NAMES: Final = {"decode": "decode", "preprocess": "preprocess", "inference": "infer", "explanation": "explain"}
"""Stages, and the names of their spans."""


class ExporterMissing(Exception):
    """Spans are requested, but the exporter is not installed."""

    def __init__(self) -> None:
        super().__init__(f"{ENDPOINT} is set and the extra `otel` is not installed. Install it, or unset the variable.")


class Tracing:
    """Makes spans of finished stages. Spans of unsampled traces are dropped."""

    def __init__(self, exporter: SpanExporter) -> None:
        """`exporter`: receives the spans in batches, in its own thread."""
        self.provider = TracerProvider(
            sampler=ParentBased(ALWAYS_ON), resource=Resource.create({"service.name": "deepcovidexplainer"})
        )
        self.provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self.provider.get_tracer("cxr")
        self._parent: ContextVar[Context] = ContextVar("parent")

    def begin(self, trace_id: str, span_id: str, flags: str) -> None:
        """Assign this task, and tasks that it starts, to a span. The arguments are the fields of a traceparent."""
        span = SpanContext(int(trace_id, 16), int(span_id, 16), True, TraceFlags(int(flags, 16)))
        self._parent.set(set_span_in_context(NonRecordingSpan(span), Context()))

    def ended(self, stage: str, began: float, seconds: float) -> None:
        """Record a finished stage of this task's request. `began`: of `time.perf_counter`."""
        begin_ns = time.time_ns() - int((time.perf_counter() - began) * 1e9)
        span = self._tracer.start_span(NAMES[stage], self._parent.get(None), start_time=begin_ns)
        span.end(begin_ns + int(seconds * 1e9))


def check_environment() -> None:
    """Raises ExporterMissing if spans are requested but could not be sent."""
    if os.environ.get(ENDPOINT) and find_spec("opentelemetry.exporter") is None:
        raise ExporterMissing


def from_environment() -> Tracing | None:
    """Tracing to the endpoint in the environment; None if there is none."""
    if not os.environ.get(ENDPOINT):
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return Tracing(OTLPSpanExporter())
