"""The runtime with several files at once."""

import asyncio
import os
import signal
import time
from threading import Event
from typing import Any

import pytest

from cxr.decode.sandbox import wire
from cxr.decode.sandbox.pool import decoders
from cxr.errors import DecodingTooSlow, NotDecodable
from cxr.model.bundle import Bundle
from cxr.model.cpu import Processor
from cxr.model.views import count_of
from cxr.pipeline import Finding, Prepared
from service.bento.explainer import Outcome
from service.bundles.served import synthetic_png
from service.metrics import Metrics
from service.refusals import Busy, DeadlineExceeded
from service.runtime import Runtime
from service.settings import Settings
from tests import files

WORK_S = 0.05
LONG = 30.0


def runtime_of(bundle: Bundle, explainer: Any = None, **settings: Any) -> Runtime:
    return Runtime(Settings(bundle=bundle.root, **settings), Metrics(), explainer)


def test_waiting_is_counted_from_the_request_to_the_thread(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = runtime_of(bundle, classifications=1)
    prepare, begun, ended = runtime.served.classifier.prepare, list[float](), list[float]()

    def slowly(data: bytes, _keep: object = None) -> Prepared:
        begun.append(time.perf_counter())
        time.sleep(WORK_S)
        prepared = prepare(data)
        ended.append(time.perf_counter())
        return prepared

    monkeypatch.setattr(runtime.served.classifier, "prepare", slowly)

    async def scenario() -> list[tuple[Finding, dict[str, float]]]:
        return await asyncio.gather(*(runtime.classify(runtime.served, synthetic_png()) for _ in range(4)))

    answers = asyncio.run(scenario())

    assert all(start >= end for start, end in zip(begun[1:], ended[:-1], strict=True)), "one thread, one at a time"
    waits = sorted(timings_ms["queue"] for _, timings_ms in answers)
    for before, waited in enumerate(waits):
        assert waited >= before * WORK_S * 1000


def test_only_a_lone_job_gets_all_cores_and_decoding_counts(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = runtime_of(bundle, classifications=2)
    prepare, logits = runtime.served.classifier.prepare, runtime.served.classifier.ensemble.logits
    said, may_end = list[bool](), Event()

    def watched(images: Any, alone: bool) -> Any:
        said.append(alone)
        return logits(images, alone)

    def prepared(data: bytes, _keep: object = None) -> Prepared:
        if data == b"slow":
            assert may_end.wait(LONG)
        return prepare(data)

    monkeypatch.setattr(runtime.served.classifier.ensemble, "logits", watched)
    monkeypatch.setattr(runtime.served.classifier, "prepare", prepared)

    async def scenario() -> None:
        other = asyncio.create_task(runtime.classify(runtime.served, b"slow"))
        await asyncio.sleep(0)
        await runtime.classify(runtime.served, synthetic_png())
        may_end.set()
        with pytest.raises(NotDecodable):
            await other
        await runtime.classify(runtime.served, synthetic_png())

    asyncio.run(scenario())
    assert said == [False, True]


def test_a_batching_device_gets_simultaneous_images_together(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = runtime_of(bundle, precision="float32").served.classifier.classify(synthetic_png())
    monkeypatch.setattr(Processor, "max_batch", 4)
    runtime = runtime_of(bundle, precision="float32")
    logits, sizes = Processor.logits, list[int]()

    def watched(self: Processor, images: Any) -> Any:
        sizes.append(count_of(images))
        return logits(self, images)

    monkeypatch.setattr(Processor, "logits", watched)

    async def scenario() -> list[tuple[Finding, dict[str, float]] | BaseException]:
        return await runtime.classify_all(runtime.served, [synthetic_png(), b"no radiograph", *[synthetic_png()] * 6])

    first, bad, *others = asyncio.run(scenario())
    assert isinstance(bad, NotDecodable)
    for answer in (first, *others):
        assert not isinstance(answer, BaseException)
        finding, timings_ms = answer
        assert finding.probabilities == pytest.approx(expected.probabilities, abs=1e-6)
        assert set(timings_ms) == {"queue", "decode", "preprocess", "inference"}
    assert sum(sizes) == 7
    assert max(sizes) > 1
    assert runtime.classifications.in_flight == 0


def test_a_device_that_fails_frees_its_places(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Processor, "max_batch", 4)
    runtime = runtime_of(bundle, precision="float32")

    def fails(*_: Any) -> Any:
        raise RuntimeError

    monkeypatch.setattr(Processor, "logits", fails)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            asyncio.run(runtime.classify(runtime.served, synthetic_png()))
    assert runtime.classifications.in_flight == 0


class SlowExplainer:
    """An explainer whose jobs take longer than any deadline."""

    def __init__(self) -> None:
        self.to_async = self
        self.at_once = self.most = self.begun = 0
        self.may_end = asyncio.Event()

    async def is_ready(self) -> bool:
        return True

    async def explain(self, **_: Any) -> Outcome:
        self.begun += 1
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await self.may_end.wait()
        self.at_once -= 1
        return Outcome(files={"png": b""})


def test_late_explanations_do_not_pile_up(bundle: Bundle) -> None:
    """Each request is refused at its deadline. The running job keeps its place, so no other job begins beside it."""

    async def scenario() -> None:
        explainer = SlowExplainer()
        runtime = runtime_of(bundle, explainer, explanations=1, queue=4, explain_seconds=0.02)
        for _ in range(3):
            with pytest.raises(DeadlineExceeded):
                await runtime.explain("gradcam")
        late = await asyncio.gather(*(runtime.explain("gradcam") for _ in range(10)), return_exceptions=True)
        assert [type(error) for error in late] == [DeadlineExceeded] * 4 + [Busy] * 6
        assert explainer.begun == explainer.most == 1
        assert (runtime.explanations.running, runtime.explanations.in_flight) == (1, 1)
        explainer.may_end.set()
        while runtime.explanations.in_flight:
            await asyncio.sleep(0)
        assert (await runtime.explain("gradcam")).files == {"png": b""}

    asyncio.run(scenario())


def test_pictures_do_not_wait_for_decoders_that_hang(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = runtime_of(bundle, classifications=1)
    monkeypatch.setattr(wire, "DEADLINE_S", 3.0)
    decoders().warm()
    for pid in decoders().pids():
        os.kill(pid, signal.SIGSTOP)

    async def scenario() -> None:
        dicom = files.small_radiograph_dicom()
        works = (runtime.classify(runtime.served, dicom) for _ in range(decoders().size))
        hung = [asyncio.ensure_future(work) for work in works]
        await asyncio.sleep(0.2)
        await runtime.classify(runtime.served, synthetic_png())
        assert not any(work.done() for work in hung)
        outcomes = await asyncio.gather(*hung, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [DecodingTooSlow] * len(hung)

    asyncio.run(scenario())
