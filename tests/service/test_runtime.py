"""What the runtime makes of files that come together."""

import asyncio
import os
import signal
import time

import pytest

from cxr.decode.sandbox import wire
from cxr.decode.sandbox.pool import decoders
from cxr.errors import DecodingTooSlow
from cxr.model.bundle import Bundle
from cxr.pipeline import Classifier, Finding
from service.metrics import Metrics
from service.runtime import Runtime, synthetic_png
from service.settings import Settings
from tests import files

WORK_S = 0.05


@pytest.fixture
def runtime(bundle: Bundle) -> Runtime:
    """With a single thread."""
    return Runtime(Settings(bundle=bundle.root, classifications=1), Metrics(), None)


def test_waiting_is_counted_from_the_request_to_the_thread(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    classify = Classifier.classify
    begun: list[float] = []
    ended: list[float] = []

    def slowly(self: Classifier, data: bytes) -> Finding:
        begun.append(time.perf_counter())
        time.sleep(WORK_S)
        finding = classify(self, data)
        ended.append(time.perf_counter())
        return finding

    monkeypatch.setattr(Classifier, "classify", slowly)

    async def scenario() -> list[tuple[Finding, dict[str, float]]]:
        return await asyncio.gather(*(runtime.classify(synthetic_png()) for _ in range(4)))

    answers = asyncio.run(scenario())

    assert all(start >= end for start, end in zip(begun[1:], ended[:-1], strict=True)), "one thread, one at a time"
    waits = sorted(timings_ms["queue"] for _, timings_ms in answers)
    for before, waited in enumerate(waits):
        assert waited >= before * WORK_S * 1000


def test_a_work_is_handed_over_while_the_last_one_runs(runtime: Runtime) -> None:
    """So that the thread need not wait for the event loop between two."""

    async def scenario() -> None:
        works = [asyncio.ensure_future(runtime.classify(synthetic_png())) for _ in range(4)]
        await asyncio.sleep(0)
        assert runtime.classifications.running == 2
        await asyncio.gather(*works)

    asyncio.run(scenario())


def test_pictures_do_not_wait_for_decoders_that_hang(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "DEADLINE_S", 3.0)
    decoders().warm()
    for pid in decoders().pids():
        os.kill(pid, signal.SIGSTOP)

    async def scenario() -> None:
        hung = [asyncio.ensure_future(runtime.classify(files.small_radiograph_dicom())) for _ in range(decoders().size)]
        await asyncio.sleep(0.2)
        await runtime.classify(synthetic_png())
        assert not any(work.done() for work in hung)
        outcomes = await asyncio.gather(*hung, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [DecodingTooSlow] * len(hung)

    asyncio.run(scenario())
