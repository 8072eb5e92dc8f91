"""Prometheus metrics, in our own registry: every name starts with cxr_, and no label comes from a client.

BentoML's own metrics are off: they label each request with its raw path, so a client could create any number of series
and put a patient's name into them.
"""

from collections.abc import Callable
from math import nan
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from cxr.drift import FIGURES, figures
from cxr.model.bundle import Manifest, Precision
from cxr.pipeline import Finding, Prepared

STAGE_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
REQUEST_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

STAGES: Final = ("queue", "decode", "preprocess", "inference")


class Metrics:
    """All counters and timers of the service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._stages = {
            name: Histogram(
                f"cxr_{name}_seconds",
                f"Seconds of a classification's {name}.",
                buckets=STAGE_BUCKETS,
                registry=self.registry,
            )
            for name in STAGES
        }
        self._explanations = Histogram(
            "cxr_explanation_seconds",
            "Seconds of an explanation, including its wait, by method.",
            ["method"],
            buckets=REQUEST_BUCKETS,
            registry=self.registry,
        )
        self._requests = Histogram(
            "cxr_request_seconds",
            "Seconds of whole requests, by route and status.",
            ["route", "status"],
            buckets=REQUEST_BUCKETS,
            registry=self.registry,
        )
        self._answers = Counter(
            "cxr_answers", "Radiographs classified, by predicted label.", ["label"], registry=self.registry
        )
        self._inputs = {
            name: Histogram(f"cxr_{name}", one.about, buckets=one.buckets, registry=self.registry)
            for name, one in FIGURES.items()
        }
        self._reference = {
            part: Gauge(
                f"cxr_reference_{part}",
                f"The {part} of cxr_<figure> over the images that `cxr site` recalibrated the bundle with; else NaN.",
                ["figure"],
                registry=self.registry,
            )
            for part in ("mean", "deviation")
        }
        self._errors = Counter(
            "cxr_errors", "Requests and files of a batch refused or failed, by code.", ["code"], registry=self.registry
        )
        self._in_flight = Gauge(
            "cxr_in_flight", "Files that wait for their classification or are being classified.", registry=self.registry
        )
        ProcessCollector(namespace="cxr", registry=self.registry)  # memory, descriptors and processor time of the API
        self._bundle = Gauge(
            "cxr_bundle_info", "The served bundle.", ["name", "version", "sha256"], registry=self.registry
        )
        self._swaps = Counter("cxr_bundle_swaps", "Bundles that replaced another.", registry=self.registry)
        self._failed_swaps = Counter(
            "cxr_failed_bundle_swaps", "Bundles that failed to replace another.", registry=self.registry
        )
        self._inference = Gauge(
            "cxr_inference_info",
            "The onnxruntime provider and the precision of the networks.",
            ["provider", "precision"],
            registry=self.registry,
        )

    def served(self, manifest: Manifest, sha256: str, provider: str, precision: Precision) -> None:
        """Report the served bundle, its provider and its precision, in place of the previous bundle's."""
        self._bundle.clear()
        self._bundle.labels(manifest.name, manifest.version, sha256).set(1)
        self._inference.labels(provider, precision).set(1)
        references = manifest.site.reference if manifest.site else {}
        for figure in FIGURES:
            reference = references.get(figure)
            self._reference["mean"].labels(figure).set(reference.mean if reference else nan)
            self._reference["deviation"].labels(figure).set(reference.deviation if reference else nan)

    def swapped(self) -> None:
        """Count a bundle that replaces the previous one."""
        self._swaps.inc()

    def swap_failed(self) -> None:
        """Count a bundle that failed to replace the previous one."""
        self._failed_swaps.inc()

    def watch(self, in_flight: Callable[[], int]) -> None:
        """Call `in_flight` at every scrape for the number of files in flight."""
        self._in_flight.set_function(in_flight)

    def classified(self, finding: Finding, prepared: Prepared, timings_ms: dict[str, float]) -> None:
        """Count one classification, time its stages, and observe the drift figures of its image."""
        self._answers.labels(finding.prediction).inc()
        for figure, value in figures(finding, prepared).items():
            self._inputs[figure].observe(value)
        for stage, histogram in self._stages.items():
            histogram.observe(timings_ms[stage] / 1000)

    def explained(self, method: str, seconds: float) -> None:
        """Time one explanation."""
        self._explanations.labels(method).observe(seconds)

    def requested(self, route: str, status: int, seconds: float, code: str | None) -> None:
        """Time one request by its route template; count its error, if it was one."""
        self._requests.labels(route, str(status)).observe(seconds)
        if code is not None:
            self.failed(code)

    def failed(self, code: str) -> None:
        """Count one error: of a request, or of one file among several."""
        self._errors.labels(code).inc()

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
