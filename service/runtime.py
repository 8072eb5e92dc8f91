"""What a request needs to be answered: the loaded bundle, the gates before it, the line to the explainer."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import cv2
import numpy as np

from cxr.decode import is_dicom
from cxr.decode.sandbox.pool import decoders
from cxr.model.bundle import Bundle
from cxr.model.cuda import LANES
from cxr.pipeline import Classifier, Finding, Prepared
from cxr.report.explanation import Explanation, Method
from service.batching import Batcher
from service.explaining import ExplainerClient
from service.gate import After, Gate
from service.metrics import Metrics
from service.settings import Settings

logger = logging.getLogger("cxr.service")

S = TypeVar("S")
T = TypeVar("T")

Found = tuple[Finding, float]
"""A finding, and the milliseconds that it waited for threads."""


class Runtime:
    """Loaded and warm once it exists."""

    def __init__(self, settings: Settings, metrics: Metrics, explainer: Any) -> None:
        """Raises BundleError if the bundle is not what its manifest says, DecoderUnavailable if no decoder starts.

        Args:
            settings: see `Settings`.
            metrics: told of every classification and explanation.
            explainer: the remote explainer, as `bentoml.depends` gives it.
        """
        self.settings = settings
        self.metrics = metrics
        self.classifier = Classifier(Bundle(settings.bundle), settings.threads, settings.precision, settings.batch)
        self.manifest = self.classifier.bundle.manifest
        batch = self.classifier.ensemble.max_batch
        # As many again as there are threads: one that ends has its next work at hand, and its core need not wait for
        # the event loop. An image that waits for its batch needs no core: those come on top.
        at_once = 2 * settings.classifications + (LANES * batch if batch > 1 else 0)
        self.classifications: Gate[Found] = Gate(at_once, settings.queue, settings.queue_seconds)
        self._batcher = Batcher(self.classifier.ensemble.logits, batch, lambda: self.classifications.running)
        # One that would wait past its deadline is better told now.
        self.explanations: Gate[Explanation] = Gate(settings.explanations, settings.queue, settings.explain_seconds)
        self._explainer = ExplainerClient(explainer)
        self._threads = ThreadPoolExecutor(settings.classifications, "classify")
        # DICOM files wait for a decoder here and hold no slot meanwhile: where decoders hang, nobody else waits.
        self._decodings = ThreadPoolExecutor(decoders().size, "decode")
        if missing := decoders().warm():
            logger.warning("this kernel does not shut decoders in: %s", ", ".join(missing))
        self.classifier.classify(synthetic_png())
        metrics.served(self.manifest)
        metrics.watch(lambda: self.classifications.in_flight)

    async def classify(self, data: bytes) -> tuple[Finding, dict[str, float]]:
        """A finding, and the milliseconds of each stage with the wait before them.

        Raises:
            Refusal: see `Classifier.classify`.
            Busy, DeadlineExceeded: see `Gate.run`.
        """
        return self._found(*await self.classifications.run(self._classification(data), self.settings.classify_seconds))

    async def classify_all(self, files: Sequence[bytes]) -> list[tuple[Finding, dict[str, float]] | BaseException]:
        """For each file, in order, what `classify` would have returned or raised.

        Raises:
            Busy: the queue is full.
        """
        works = [self._classification(data) for data in files]
        results = await self.classifications.run_all(works, self.settings.classify_seconds)
        return [result if isinstance(result, BaseException) else self._found(*result) for result in results]

    async def explain(self, method: Method, **question: Any) -> Explanation:
        """An explanation of a finding; what else to ask is what `ExplainerService.explain` takes.

        Raises:
            Busy, DeadlineExceeded: see `Gate.run`.
            ExplainerUnavailable: the explainer does not answer.
        """
        start = time.monotonic()
        seconds = self.settings.deadline(method)

        async def work() -> Explanation:
            return await self._explainer.explain(start + seconds - time.monotonic(), method=method, **question)

        # The work ends itself at the deadline. The gate's is later, and only for those that still wait by then.
        explanation, _ = await self.explanations.run(work, seconds + 1)
        self.metrics.explained(method, time.monotonic() - start)
        return explanation

    def _found(self, found: Found, waited_ms: float) -> tuple[Finding, dict[str, float]]:
        finding, pool_ms = found
        timings_ms = {"queue": waited_ms + pool_ms, **finding.timings_ms}
        self.metrics.classified(finding.prediction, timings_ms)
        return finding, timings_ms

    def _classification(self, data: bytes) -> Callable[[], Awaitable[Found]]:
        return self._of_dicom(data) if is_dicom(data) else self._of_picture(data)

    def _of_picture(self, data: bytes) -> Callable[[], Awaitable[Found]]:
        """A PNG or a JPEG."""

        async def classify() -> Found:
            return await _in_thread(self._threads, self.classifier.classify, data)

        async def prepare_and_join() -> Found:
            prepared, pool_ms = await _in_thread(self._threads, self.classifier.prepare, data)
            return await self._in_batch(prepared), pool_ms

        return classify if self.classifier.ensemble.max_batch == 1 else prepare_and_join

    def _of_dicom(self, data: bytes) -> Callable[[], Awaitable[Found]]:
        made: list[tuple[Prepared, float]] = []

        async def decode() -> None:
            made.append(await _in_thread(self._decodings, self.classifier.prepare, data))

        async def classify() -> Found:
            prepared, decoder_ms = made[0]
            finding, pool_ms = await _in_thread(self._threads, self.classifier.infer, prepared)
            return finding, decoder_ms + pool_ms

        async def join() -> Found:
            prepared, decoder_ms = made[0]
            return await self._in_batch(prepared), decoder_ms

        return After(decode, classify if self.classifier.ensemble.max_batch == 1 else join)

    async def _in_batch(self, prepared: Prepared) -> Finding:
        with prepared.watch.stage("inference"):
            logits = await self._batcher.logits(prepared.image)
        return self.classifier.conclude(prepared, logits)


async def _in_thread(threads: ThreadPoolExecutor, function: Callable[[S], T], given: S) -> tuple[T, float]:
    """What a thread of a pool makes of what is given, and the milliseconds until one was free."""
    handed = time.perf_counter()

    def work() -> tuple[T, float]:
        pool_ms = (time.perf_counter() - handed) * 1000
        return function(given), pool_ms

    return await asyncio.get_running_loop().run_in_executor(threads, work)


def synthetic_png() -> bytes:
    """A picture of a gradient: what the warm-up classifies."""
    ramp = np.linspace(0, 255, 256, dtype=np.uint8)
    ok, png = cv2.imencode(".png", np.tile(ramp, (256, 1)))
    assert ok
    return png.tobytes()
