"""The line to the explainer: what it answers, refuses, and what happens when it is not there."""

import asyncio
from typing import Any

import pytest

from cxr import errors
from cxr.anatomy.boxes import Box
from cxr.anatomy.zones import ZoneShare
from cxr.errors import ExplainerUnavailable, LateralView, Refusal
from cxr.report.explanation import METHODS, Explanation
from service import explaining
from service.bento.explainer import Outcome
from service.errors import ExplanationFailed
from service.explaining import ExplainerClient
from service.settings import Settings

ANSWER = Explanation(
    method="gradcam",
    target="normal",
    member="member",
    heatmap_png=b"map",
    overlay_png=b"overlay",
    statement="A sentence.",
    warnings=(),
    zones=(ZoneShare("outside", 1.0, 0.7),),
    no_lungs="",
    boxes=(Box(1, 2, 3, 4, 0.5),),
    conservation_error=None,
    timings_ms={"attribution": 1.0},
)


class Remote:
    """Stands in for `bentoml.depends`: answers with the next of some outcomes."""

    def __init__(self, *outcomes: Outcome | Exception, ready: bool | Exception = True) -> None:
        self.to_async = self
        self.questions: list[dict[str, Any]] = []
        self._outcomes = list(outcomes)
        self._ready = ready

    async def is_ready(self) -> bool:
        if isinstance(self._ready, Exception):
            raise self._ready
        return self._ready

    async def explain(self, **question: Any) -> Outcome:
        self.questions.append(question)
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def ask(remote: Any, seconds: float = 5.0) -> Explanation:
    return asyncio.run(ExplainerClient(remote).explain(seconds, data=b"x"))


def test_an_explanation_comes_back() -> None:
    assert ask(Remote(Outcome(explanation=ANSWER))) == ANSWER


def test_a_broken_connection_is_retried_once() -> None:
    remote = Remote(ConnectionResetError(), Outcome(explanation=ANSWER))
    assert ask(remote) == ANSWER
    assert remote.questions == [{"data": b"x"}] * 2


def test_two_broken_connections_are_enough() -> None:
    remote = Remote(ConnectionResetError(), ConnectionResetError(), Outcome(explanation=ANSWER))
    with pytest.raises(ExplainerUnavailable):
        ask(remote)
    assert len(remote.questions) == 2


@pytest.mark.parametrize("ready", [False, OSError("no such socket")])
def test_an_explainer_that_is_away_is_not_asked(ready: bool | Exception) -> None:
    remote = Remote(ready=ready)
    with pytest.raises(ExplainerUnavailable):
        ask(remote)
    assert not remote.questions


def test_an_explainer_that_does_not_answer_its_probe_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explaining, "PROBE_S", 0.01)

    class Starting(Remote):
        async def is_ready(self) -> bool:
            await asyncio.sleep(60)
            return True

    with pytest.raises(ExplainerUnavailable):
        ask(Starting())


def test_an_explainer_that_hangs_is_given_up_at_the_deadline() -> None:
    class Hanging(Remote):
        async def explain(self, **question: Any) -> Outcome:  # noqa: ARG002
            await asyncio.sleep(60)
            return Outcome()

    with pytest.raises(ExplainerUnavailable):
        ask(Hanging(), seconds=0.01)


def test_a_refusal_is_raised_where_it_is_answered() -> None:
    with pytest.raises(LateralView):
        ask(Remote(Outcome(refusal="LateralView")))


def test_every_refusal_has_a_code_of_its_own_and_comes_back_as_itself() -> None:
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, Refusal) and hasattr(kind, "code")
    ]
    assert len(kinds) > 10
    for kind in kinds:
        with pytest.raises(Refusal) as caught:
            ask(Remote(Outcome(refusal=kind.__name__)))
        assert type(caught.value) is kind


def test_a_failure_is_no_refusal_and_not_retried() -> None:
    remote = Remote(Outcome())
    with pytest.raises(ExplanationFailed):
        ask(remote)
    assert len(remote.questions) == 1


def test_each_method_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXR_EXPLAIN_SECONDS", "5")
    monkeypatch.setenv("CXR_LRP_SECONDS", "7")
    settings = Settings()
    assert {method: settings.deadline(method) for method in METHODS} == {
        "gradcam_plus_plus": 5,
        "gradcam": 5,
        "lrp": 7,
    }
