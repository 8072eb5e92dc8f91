"""The explainer: a BentoML service in a process of its own, the only one that loads torch.

Errors are returned as values. BentoML would write an exception's text, which may contain a client's data, to the log,
and pass it to the caller as a string.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import bentoml
import cv2

from cxr.errors import BundleError, Refusal, Unavailable
from cxr.labels import Label
from cxr.pipeline import Finding, Prepared, Stopwatch
from cxr.report.explanation import Method
from cxr.report.fhir import fhir_bundle
from cxr.report.objects import OBJECTS, dicom_objects
from cxr.report.pictures import ENCODINGS, EVERYTHING, Drawing, Pictures, encode
from cxr.report.result import Result
from service import logs
from service.bento.watchdog import Watchdog
from service.bundles.kept import Kept
from service.bundles.link import LastServed
from service.errors import log_unexpected
from service.refusals import OtherBundle
from service.schemas import ExplanationAnswer, explanation_answer
from service.settings import MAX_SECONDS, Settings

CONNECTION: Final = {"max_requests": 10**9, "max_age": 1e9}
"""BentoML's client closes its session every 100 requests or 300 s, and with it all calls in progress."""

PATIENCE: Final = 2.0
"""After this many times the method's deadline, an explanation counts as hanging and its process is ended."""

ADOPT_S: Final = 120.0
"""After this many seconds, loading a bundle counts as hanging."""

Wanted = Literal["json", "png", "jpeg", "webp", "heatmap", "sc", "sr", "fhir"]
"""Forms of an explanation: its fields, the overlay encoded, the heatmap as PNG, DICOM secondary capture and structured
report, a FHIR bundle."""

WITH_OVERLAY: Final[frozenset[Wanted]] = frozenset({*ENCODINGS, "sc", "fhir"})
"""Forms that always contain the overlay. For JSON the client chooses."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """An explanation or the name of the refusal. Neither if the explainer failed, which it has logged.

    answer:     the explanation for the JSON answer, with encoded pictures, if that form is wanted
    files:      the other wanted forms, each a file
    timings_ms: see `Explanation`
    """

    answer: ExplanationAnswer | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    timings_ms: dict[str, float] = field(default_factory=dict)
    refusal: str | None = None


class Sealed:
    """A prepared file on its way to the explainer. BentoML would turn a bare dataclass into a dict."""

    __slots__ = ("prepared",)

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared


@bentoml.service(
    name="explainer",
    workers=1,
    threads=64,  # the API's admission limits how many run at once, so nothing has to wait here
    traffic={
        "timeout": PATIENCE * MAX_SECONDS + 60
    },  # a call lasts as long as its job, so that the API's count of running jobs is right
    runner_connection=CONNECTION,
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class ExplainerService:
    """Explains what the API has classified. It listens on a private Unix socket and trusts its caller."""

    def __init__(self) -> None:
        logs.configure()
        self._settings = Settings()
        import torch

        from attribution.explain import Explainer

        torch.set_num_threads(self._settings.threads)
        self._kept = Kept(Explainer, self._settings.bundle_key)
        self._kept.adopt(LastServed().read() or self._settings.bundle.resolve())
        cv2.setNumThreads(self._settings.threads)
        self._watchdog = Watchdog()

    @bentoml.api  # type: ignore[untyped-decorator]
    def adopt(self, root: str, sha256: str) -> str:
        """Hold a bundle that is about to be served, in addition to the served one. Never raises.

        Args:
            root: its folder.
            sha256: the hash of its bundle.json.

        Returns:
            Why it cannot be loaded; empty if it was loaded.
        """
        try:
            with self._watchdog.watch(ADOPT_S):
                self._kept.adopt(Path(root), sha256)
        except BundleError as error:
            return str(error)
        except Exception as error:
            return type(error).__qualname__
        return ""

    @bentoml.api  # type: ignore[untyped-decorator]
    def explain(
        self,
        bundle: str,
        sealed: Any,
        data: bytes,
        finding: Finding,
        target: Label,
        method: Method,
        member: str,
        wanted: list[Wanted],
        pictures: Pictures | None,
        request_id: str,
    ) -> Outcome:
        """Explain the ensemble's answer for a file. Never raises; a job that hangs ends the process.

        Args:
            bundle: SHA-256 of the bundle.json with which the file was classified.
            sealed: the prepared file, with pixels reduced to the overlay's size.
            data: the file's bytes if a wanted form repeats its header or contains its hash; else empty.
            finding: the ensemble's finding.
            target: the label whose evidence is mapped.
            method: the attribution method.
            member: the explained member, or the ensemble.
            wanted: the forms of the answer.
            pictures: the pictures of the JSON answer; None for both, with the heatmap at the radiograph's own size.
            request_id: for the log.
        """
        explainer = self._kept.get(bundle)
        if explainer is None:
            return Outcome(refusal=OtherBundle.__name__)
        try:
            with self._watchdog.watch(PATIENCE * self._settings.deadline(method)):
                drawn = drawing(wanted, pictures)
                explanation = explainer.explain(sealed.prepared, finding, target, method, member, drawn)
                return outcome(Result.of(finding, explanation, explainer.bundle, data), data, wanted)
        except (Refusal, Unavailable) as refusal:
            return Outcome(refusal=type(refusal).__name__)
        except Exception as error:
            log_unexpected(error, request_id)
            return Outcome()


def drawing(wanted: Collection[Wanted], pictures: Pictures | None) -> Drawing:
    """What has to be drawn for the wanted forms."""
    if "json" in wanted:
        return Drawing.named(pictures) if pictures else EVERYTHING
    return Drawing(overlay=not WITH_OVERLAY.isdisjoint(wanted), heatmap="heatmap" in wanted, full_size=False)


def outcome(result: Result, data: bytes, wanted: Sequence[Wanted]) -> Outcome:
    """A result in the wanted forms. Raises NoInstance if a DICOM form is wanted for a file that is not DICOM."""
    explanation, watch = result.explanation, Stopwatch()
    files: dict[str, bytes] = {}
    with watch.stage("encode"):
        if explanation.overlay is not None:
            files |= {kind: encode(explanation.overlay, kind) for kind in ENCODINGS if kind in wanted}
        if "heatmap" in wanted and explanation.heatmap_png is not None:
            files["heatmap"] = explanation.heatmap_png
        if "fhir" in wanted:
            files["fhir"] = fhir_bundle(result)
        if objects := [kind for kind in OBJECTS if kind in wanted]:
            files.update(dicom_objects(result, data, objects))
        answer = explanation_answer(explanation) if "json" in wanted else None
    return Outcome(answer, files, explanation.timings_ms | watch.timings_ms)
