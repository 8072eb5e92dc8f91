"""Spans of what is done for a request, under its caller's trace: decode, preprocess, infer, explain.

Off unless OpenTelemetry's own OTEL_EXPORTER_OTLP_ENDPOINT says where they go; then the extra `otel` is needed. A span
has a name and two times and no attribute: nothing of a request is in it but the trace's own ids.
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
"""Stages, and what their spans are called."""


class ExporterMissing(Exception):
    """Spans are asked for where nothing can send them."""

    def __init__(self) -> None:
        super().__init__(f"{ENDPOINT} is set and the extra `otel` is not installed. Install it, or unset the variable.")


class Tracing:
    """Makes spans of stages that have ended. Those of a caller who does not sample its trace are not kept."""

    def __init__(self, exporter: SpanExporter) -> None:
        """`exporter`: is given the spans now and then, in a thread of its own."""
        self.provider = TracerProvider(
            sampler=ParentBased(ALWAYS_ON), resource=Resource.create({"service.name": "deepcovidexplainer"})
        )
        self.provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self.provider.get_tracer("cxr")
        self._parent: ContextVar[Context] = ContextVar("parent")

    def begin(self, trace_id: str, span_id: str, flags: str) -> None:
        """What this task and those that it starts do now belongs to that span; fields as in a traceparent."""
        span = SpanContext(int(trace_id, 16), int(span_id, 16), True, TraceFlags(int(flags, 16)))
        self._parent.set(set_span_in_context(NonRecordingSpan(span), Context()))

    def ended(self, stage: str, began: float, seconds: float) -> None:
        """A stage of this task's request is over. `began`: of `time.perf_counter`."""
        begin_ns = time.time_ns() - int((time.perf_counter() - began) * 1e9)
        span = self._tracer.start_span(NAMES[stage], self._parent.get(None), start_time=begin_ns)
        span.end(begin_ns + int(seconds * 1e9))


def check_environment() -> None:
    """Raises ExporterMissing where spans are asked for and could not be sent."""
    if os.environ.get(ENDPOINT) and find_spec("opentelemetry.exporter") is None:
        raise ExporterMissing


def from_environment() -> Tracing | None:
    """Tracing to the endpoint that the environment names; None where it names none."""
    if not os.environ.get(ENDPOINT):
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return Tracing(OTLPSpanExporter())
