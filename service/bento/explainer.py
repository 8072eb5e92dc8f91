"""The explainer: a BentoML service in a process of its own, the only one that loads torch.

What goes wrong here comes back as a value. BentoML would print an exception's text, which may hold a client's
data, into the log and hand it to the caller flattened into a string.
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
"""BentoML's client closes its session every 100 requests or 300 s, and with it the calls in flight."""

PATIENCE: Final = 2.0
"""Deadlines of a method after which an explanation is taken to hang, and its process ended."""

ADOPT_S: Final = 120.0
"""After which loading a bundle is taken to hang."""

Wanted = Literal["json", "png", "jpeg", "webp", "heatmap", "sc", "sr", "fhir"]
"""Forms of an explanation: its fields, the overlay encoded, the heatmap as PNG, DICOM secondary capture and structured
report, a FHIR bundle."""

WITH_OVERLAY: Final[frozenset[Wanted]] = frozenset({*ENCODINGS, "sc", "fhir"})
"""Those that are the overlay or hold it; of JSON the client says what it holds."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """An explanation, or the name of the refusal, or none of these: the explainer failed and has logged why.

    answer:     the explanation as JSON shows it, its pictures encoded, where that was wanted
    files:      what else was wanted, each a file
    timings_ms: see `Explanation`
    """

    answer: ExplanationAnswer | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    timings_ms: dict[str, float] = field(default_factory=dict)
    refusal: str | None = None


class Sealed:
    """A prepared file on its way to the explainer: of a bare dataclass BentoML would make a dict."""

    __slots__ = ("prepared",)

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared


@bentoml.service(
    name="explainer",
    workers=1,
    threads=64,  # the API's admission limits how many run at once; nothing waits here a second time
    traffic={
        "timeout": PATIENCE * MAX_SECONDS + 60
    },  # a call lasts as long as its work, so that the API's count stays right
    runner_connection=CONNECTION,
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class ExplainerService:
    """Explains what the API has classified. Reached through a private Unix socket: it trusts its caller."""

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
        """Hold a bundle that is about to be served, beside the one that is. Never raises.

        Args:
            root: its folder.
            sha256: of its bundle.json.

        Returns:
            Why it cannot be loaded; empty where it was.
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
        """Explain what the ensemble said about a file. Never raises; a work that hangs ends the process.

        Args:
            bundle: SHA-256 of the bundle.json by which the file was classified.
            sealed: the file, `Sealed`, its pixels shrunk to an overlay's.
            data: its bytes, where an object that repeats its header or names its hash is wanted; else empty.
            finding: what was found in it.
            target: the label to look for evidence of.
            method: how to make the map.
            member: whose map.
            wanted: the forms of the answer.
            pictures: which of them JSON holds; None for both, the heatmap at the radiograph's own size.
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
    """What has to be drawn for these forms."""
    if "json" in wanted:
        return Drawing.named(pictures) if pictures else EVERYTHING
    return Drawing(overlay=not WITH_OVERLAY.isdisjoint(wanted), heatmap="heatmap" in wanted, full_size=False)


def outcome(result: Result, data: bytes, wanted: Sequence[Wanted]) -> Outcome:
    """A result in the forms that are wanted; those of DICOM need a DICOM file's bytes. Raises NoInstance."""
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
