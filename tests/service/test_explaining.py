"""The client of the explainer: answers, refusals, and an unavailable explainer."""

import asyncio
from pathlib import Path
from typing import Any, TypeVar

import pytest

from cxr import errors
from cxr.errors import LateralView, NotServable, Refusal
from cxr.report.explanation import METHODS
from service import explaining
from service.bento.explainer import Outcome
from service.errors import ExplanationFailed
from service.explaining import ExplainerClient
from service.refusals import ExplainerDied, ExplainerUnavailable, OtherBundle
from service.settings import Settings

T = TypeVar("T")

ANSWER = Outcome(files={"png": b"overlay"})


class Remote:
    """Replaces the object from `bentoml.depends`: returns the next of a list of outcomes, and of probe results."""

    def __init__(self, *outcomes: Outcome | Exception, ready: tuple[bool | Exception, ...] = (True,)) -> None:
        self.to_async = self
        self.questions: list[dict[str, Any]] = []
        self.fault: str | Exception = ""
        self._outcomes = list(outcomes)
        self._ready = list(ready)

    async def is_ready(self) -> bool:
        return given(self._ready.pop(0))

    async def explain(self, **question: Any) -> Outcome:
        self.questions.append(question)
        return given(self._outcomes.pop(0))

    async def adopt(self, **question: Any) -> str:
        self.questions.append(question)
        return given(self.fault)


def given(result: T | Exception) -> T:
    if isinstance(result, Exception):
        raise result
    return result


def ask(remote: Any) -> Outcome:
    return asyncio.run(ExplainerClient(remote).explain(data=b"x"))


def test_an_explanation_comes_back() -> None:
    remote = Remote(ANSWER)
    assert ask(remote) == ANSWER
    assert remote.questions == [{"data": b"x"}]


def test_a_request_that_kills_the_explainer_is_not_repeated() -> None:
    remote = Remote(ConnectionResetError(), ANSWER, ready=(True, True))
    with pytest.raises(ExplainerDied):
        ask(remote)
    assert len(remote.questions) == 1


def test_a_probe_whose_connection_breaks_is_repeated() -> None:
    """The explainer closes idle connections. That must not fail a request, and does not mean that it died."""
    assert ask(Remote(ANSWER, ready=(ConnectionResetError(), True))) == ANSWER


@pytest.mark.parametrize("ready", [(False,), (OSError(), False), (OSError(), OSError(), True)])
def test_an_unavailable_explainer_gets_no_request(ready: tuple[bool | Exception, ...]) -> None:
    remote = Remote(ready=ready)
    with pytest.raises(ExplainerUnavailable):
        ask(remote)
    assert not remote.questions


def test_a_missing_explainer_is_unavailable() -> None:
    with pytest.raises(ExplainerUnavailable):
        ask(None)


def test_an_explainer_that_does_not_answer_its_probe_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explaining, "PROBE_S", 0.01)

    class Starting(Remote):
        async def is_ready(self) -> bool:
            await asyncio.sleep(60)
            return True

    with pytest.raises(ExplainerUnavailable):
        ask(Starting())


def test_a_refusal_is_raised_in_the_api() -> None:
    with pytest.raises(LateralView):
        ask(Remote(Outcome(refusal=LateralView.__name__)))


def test_every_refusal_comes_back_as_itself() -> None:
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


@pytest.mark.parametrize("outcome", [Outcome(), Outcome(refusal="OfAnotherVersion")])
def test_a_failure_is_not_a_refusal_and_is_not_retried(outcome: Outcome) -> None:
    remote = Remote(outcome)
    with pytest.raises(ExplanationFailed):
        ask(remote)
    assert len(remote.questions) == 1


def test_each_method_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXR_EXPLAIN_SECONDS", "5")
    own = {"lrp": 7, "integrated_gradients": 8, "occlusion": 9}
    for method, seconds in own.items():
        monkeypatch.setenv(f"CXR_{method.upper()}_SECONDS", str(seconds))
    settings = Settings()
    assert all(settings.deadline(method) == own.get(method, 5) for method in METHODS)
    assert settings.longest_s == settings.upload_seconds + settings.classify_seconds + 9


def adopt(remote: Any) -> bool:
    return asyncio.run(ExplainerClient(remote).adopt(Path("folder"), "hash"))


def test_it_adopts_a_bundle_unless_it_is_unavailable_or_missing() -> None:
    remote = Remote()
    assert adopt(remote)
    assert remote.questions == [{"root": "folder", "sha256": "hash"}]
    assert adopt(None)
    assert not adopt(Remote(ready=(False,)))
    remote = Remote()
    remote.fault = ConnectionResetError()
    assert not adopt(remote)


def test_a_bundle_that_it_cannot_load_is_named() -> None:
    remote = Remote()
    remote.fault = "weights/a is not the file"
    with pytest.raises(NotServable, match="weights/a is not the file"):
        adopt(remote)


def test_another_bundle_than_it_holds_is_an_error_of_its_own() -> None:
    with pytest.raises(OtherBundle):
        ask(Remote(Outcome(refusal=OtherBundle.__name__)))
