"""Golden answers: computed once in this process, with the same `cxr` and `attribution`, without HTTP."""

import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from io import BytesIO
from typing import Any, Final

import numpy as np
from PIL import Image

from cxr.model.bundle import DEFAULT_BUNDLE, Bundle
from cxr.model.inference import PrecisionChoice
from cxr.pipeline import Classifier, Finding
from cxr.report.explanation import Explanation, Method
from loadtests.samples import Bad, Sample

TOLERANCE: Final = 1e-5  # tolerance of a probability: thread counts change the order of sums
GREY_LEVELS: Final = 1  # tolerance of a heatmap's pixel, for the same reason
REFUSING: Final = frozenset({429, 503})
"""Statuses of refusals for lack of capacity."""
AT_CAPACITY: Final = "at capacity"
"""Locust's name of such a refusal, in the locustfile."""
METHOD: Final[Method] = "gradcam_plus_plus"

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class GoldenRequest:
    """One request and its golden answer: a finding, with an explanation if requested, or a refusal."""

    route: str
    sample: Sample
    status: int = 200
    finding: Finding | None = None
    explanation: Explanation | None = None

    def is_answered_by(self, status: int, body: bytes) -> bool:
        """Whether an answer is the golden one."""
        if status != self.status:
            return False
        answer = json.loads(body)
        if self.finding is None:
            return set(answer) == {"error"}
        return _classifies(self.finding, answer) and (
            self.explanation is None or _explains(self.explanation, answer["explanation"])
        )


@dataclass(frozen=True, slots=True)
class FollowingRequest(GoldenRequest):
    """A request to a service whose bundle is replaced. The answer must be golden for the bundle that it names.

    `by_bundle`: the same request with each bundle's golden answer, by the SHA-256 of its bundle.json.
    """

    by_bundle: Mapping[str, GoldenRequest] = field(default_factory=dict)

    def is_answered_by(self, status: int, body: bytes) -> bool:
        """Whether an answer is the golden one."""
        if status != 200:
            return False
        golden = self.by_bundle.get(json.loads(body)["bundle"]["sha256"])
        return golden is not None and golden.is_answered_by(status, body)


def following_requests(samples: list[Sample], bundles: Sequence[Bundle]) -> list[GoldenRequest]:
    """For each sample a request to /classify and one to /explain, to a service that alternates these bundles."""
    of_each = [golden_requests(samples, explain=True, bundle=bundle) for bundle in bundles]
    return [
        FollowingRequest(
            same[0].route,
            same[0].sample,
            by_bundle={bundle.sha256: golden for bundle, golden in zip(bundles, same, strict=True)},
        )
        for same in zip(*of_each, strict=True)
    ]


def golden_requests(
    samples: list[Sample], explain: bool, bundle: Bundle | None = None, precision: PrecisionChoice = "auto"
) -> list[GoldenRequest]:
    """For each sample a request to /classify, and optionally one to /explain (loads torch)."""
    bundle = bundle or Bundle(DEFAULT_BUNDLE)
    classifier = Classifier(bundle, precision=precision)
    asked = [GoldenRequest("/classify", sample, finding=classifier.classify(sample.data)) for sample in samples]
    if not explain:
        return asked
    from attribution.explain import Explainer

    explainer = Explainer(bundle)
    return asked + [
        GoldenRequest(
            "/explain",
            request.sample,
            finding=request.finding,
            explanation=explainer.explain(request.sample.data, request.finding, "predicted", METHOD),
        )
        for request in asked
        if request.finding
    ]


def refusals(bad: list[Bad]) -> list[GoldenRequest]:
    """Requests to /classify with bad files."""
    return [GoldenRequest("/classify", one.sample, one.status) for one in bad]


def _classifies(finding: Finding, answer: Answer) -> bool:
    instance = asdict(finding.instance) if finding.instance else None
    same = (
        answer["prediction"] == finding.prediction
        and answer["prediction_set"] == list(finding.prediction_set)
        and answer["instance"] == instance
    )
    probabilities = answer["probabilities"]
    return same and all(abs(probabilities[label] - p) <= TOLERANCE for label, p in finding.probabilities.items())


def _explains(golden: Explanation, answer: Answer) -> bool:
    if (answer["method"], answer["target"], answer["statement"]) != (golden.method, golden.target, golden.statement):
        return False
    heatmap = b64decode(answer["heatmap_png"])
    assert golden.heatmap_png is not None
    return heatmap == golden.heatmap_png or _alike(heatmap, golden.heatmap_png)


def _alike(png: bytes, other: bytes) -> bool:
    one, two = (np.asarray(Image.open(BytesIO(data)), np.int16) for data in (png, other))
    return one.shape == two.shape and int(np.abs(one - two).max()) <= GREY_LEVELS
