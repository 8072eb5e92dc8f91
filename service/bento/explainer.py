"""The explainer: a BentoML service in a process of its own, the only one that loads torch.

What goes wrong here comes back as a value. BentoML would print an exception's text, which may hold a client's
data, into the log and hand it to the caller flattened into a string.
"""

from dataclasses import dataclass
from typing import Final

import bentoml

from cxr.errors import Refusal
from cxr.labels import Label
from cxr.model.bundle import Bundle
from cxr.pipeline import Finding
from cxr.report.explanation import Explanation, Method
from service import logs
from service.errors import log_unexpected
from service.settings import Settings

CONNECTION: Final = {"max_requests": 10**9, "max_age": 1e9}
"""BentoML's client closes its session every 100 requests or 300 s, and with it the calls in flight."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """An explanation, or the name of the refusal, or neither: the explainer failed and has logged why."""

    explanation: Explanation | None = None
    refusal: str | None = None


@bentoml.service(
    name="explainer",
    workers=1,
    threads=64,  # the API's gate decides how many run at once; here nothing may wait a second time
    traffic={"timeout": 300},
    runner_connection=CONNECTION,
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class ExplainerService:
    """Explains what the API has classified. Reached through a private Unix socket: it trusts its caller."""

    def __init__(self) -> None:
        logs.configure()
        settings = Settings()
        import torch

        from attribution.explain import Explainer

        torch.set_num_threads(settings.threads)
        self._explainer = Explainer(Bundle(settings.bundle), settings.threads)

    @bentoml.api  # type: ignore[untyped-decorator]
    def explain(
        self, data: bytes, finding: Finding, target: Label, method: Method, member: str, request_id: str
    ) -> Outcome:
        """Explain what the ensemble said about a file. Never raises."""
        try:
            return Outcome(explanation=self._explainer.explain(data, finding, target, method, member))
        except Refusal as refusal:
            return Outcome(refusal=type(refusal).__name__)
        except Exception as error:
            log_unexpected(error, request_id)
            return Outcome()
