"""The explainer: a BentoML service in a process of its own, the only one that loads torch.

What goes wrong here comes back as a value. BentoML would print an exception's text, which may hold a client's
data, into the log and hand it to the caller flattened into a string.
"""

from dataclasses import dataclass, field
from typing import Final

import bentoml
import cv2

from cxr.errors import Refusal, Unavailable
from cxr.labels import Label
from cxr.model.bundle import Bundle
from cxr.pipeline import Finding
from cxr.report.explanation import Explanation, Method
from service import logs
from service.bento.watchdog import Watchdog
from service.errors import log_unexpected
from service.schemas import ExplanationAnswer, explanation_answer
from service.settings import MAX_SECONDS, Settings

CONNECTION: Final = {"max_requests": 10**9, "max_age": 1e9}
"""BentoML's client closes its session every 100 requests or 300 s, and with it the calls in flight."""

PATIENCE: Final = 2.0
"""Deadlines of a method after which an explanation is taken to hang, and its process ended."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """An explanation, or the name of the refusal, or none of these: the explainer failed and has logged why.

    answer:      the explanation as JSON shows it, its pictures encoded, unless the picture alone was asked for
    overlay_png: that picture
    timings_ms:  see `Explanation`
    """

    answer: ExplanationAnswer | None = None
    overlay_png: bytes | None = None
    timings_ms: dict[str, float] = field(default_factory=dict)
    refusal: str | None = None


@bentoml.service(
    name="explainer",
    workers=1,
    threads=64,  # the API's admission decides how many run at once; here nothing may wait a second time
    traffic={"timeout": PATIENCE * MAX_SECONDS + 60},  # a call lasts as long as its work, or the API would lose count
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
        self._explainer = Explainer(Bundle(self._settings.bundle))
        cv2.setNumThreads(self._settings.threads)
        self._watchdog = Watchdog()

    @bentoml.api  # type: ignore[untyped-decorator]
    def explain(
        self,
        data: bytes,
        finding: Finding,
        target: Label,
        method: Method,
        member: str,
        as_picture: bool,
        request_id: str,
    ) -> Outcome:
        """Explain what the ensemble said about a file. Never raises; a work that hangs ends the process."""
        try:
            with self._watchdog.watch(PATIENCE * self._settings.deadline(method)):
                return _outcome(self._explainer.explain(data, finding, target, method, member), as_picture)
        except (Refusal, Unavailable) as refusal:
            return Outcome(refusal=type(refusal).__name__)
        except Exception as error:
            log_unexpected(error, request_id)
            return Outcome()


def _outcome(explanation: Explanation, as_picture: bool) -> Outcome:
    if as_picture:
        return Outcome(overlay_png=explanation.overlay_png, timings_ms=explanation.timings_ms)
    return Outcome(answer=explanation_answer(explanation), timings_ms=explanation.timings_ms)
