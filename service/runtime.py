"""What a request needs to be answered: the loaded bundle, the admission to its works, the line to the explainer."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np

from cxr.arrays import Images, Logits
from cxr.model.bundle import Bundle
from cxr.model.cuda import LANES
from cxr.pipeline import Classifier, Finding, Prepared
from cxr.report.explanation import Method
from service.admission import Admission
from service.batching import Batcher
from service.bento.explainer import Outcome
from service.explaining import ExplainerClient
from service.metrics import Metrics
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Inferred:
    """A file that the networks have seen: their logits [M, 1, 3], and the milliseconds until its work began."""

    prepared: Prepared
    logits: Logits
    queue_ms: float


class Runtime:
    """Loaded and warm once it exists."""

    def __init__(self, settings: Settings, metrics: Metrics, explainer: Any) -> None:
        """Raises BundleError if the bundle is not what its manifest says.

        Args:
            settings: see `Settings`.
            metrics: told of every classification and explanation.
            explainer: the remote explainer, as `bentoml.depends` gives it.
        """
        import cxr.decode.dicom.acceptance  # noqa: F401  # decoding imports it when needed: the first DICOM would pay a second

        self.settings = settings
        self.metrics = metrics
        self.classifier = Classifier(Bundle(settings.bundle), settings.threads, settings.precision, settings.batch)
        self.manifest = self.classifier.bundle.manifest
        ensemble, batch = self.classifier.ensemble, self.classifier.ensemble.max_batch
        # An image that waits for its batch needs no core: those come on top.
        at_once = settings.classifications + (LANES * batch if batch > 1 else 0)
        self.classifications: Admission[Inferred] = Admission(at_once, settings.queue, settings.queue_seconds)
        self._threads = ThreadPoolExecutor(settings.classifications, "classify")
        self._infer: Callable[[Images], Future[Logits]] = self._infer_here
        if batch > 1:
            self._infer = Batcher(ensemble.logits, batch, lambda: self.classifications.running).submit
        # One that would wait past its deadline is better told now.
        self.explanations: Admission[Outcome] = Admission(
            settings.explanations, settings.queue, settings.explain_seconds
        )
        self._explainer = ExplainerClient(explainer)
        self.classifier.classify(synthetic_png())
        metrics.served(self.manifest)
        metrics.watch(lambda: self.classifications.in_flight)

    async def classify(self, data: bytes) -> tuple[Finding, dict[str, float]]:
        """A finding, and the milliseconds of each stage with the wait before them.

        Raises:
            Refusal: see `Classifier.classify`.
            Busy, DeadlineExceeded: see `Admission.run`.
        """
        work = partial(self._begin, data, time.perf_counter())
        return self._found(await self.classifications.run(work, self.settings.classify_seconds))

    async def classify_all(self, files: Sequence[bytes]) -> list[tuple[Finding, dict[str, float]] | BaseException]:
        """For each file, in order, what `classify` would have returned or raised.

        Raises:
            Busy: the queue is full.
        """
        came = time.perf_counter()
        works = [partial(self._begin, data, came) for data in files]
        results = await self.classifications.run_all(works, self.settings.classify_seconds)
        return [result if isinstance(result, BaseException) else self._found(result) for result in results]

    async def explain(self, method: Method, **question: Any) -> Outcome:
        """An explanation of a finding; what else to ask is what `ExplainerService.explain` takes.

        Raises:
            Busy, DeadlineExceeded: see `Admission.run`.
            Refusal, ExplainerUnavailable, ExplainerDied, ExplanationFailed: see `ExplainerClient.explain`.
        """
        start, loop = time.monotonic(), asyncio.get_running_loop()

        def work() -> Future[Outcome]:
            return asyncio.run_coroutine_threadsafe(self._explainer.explain(method=method, **question), loop)

        outcome = await self.explanations.run(work, self.settings.deadline(method))
        self.metrics.explained(method, time.monotonic() - start)
        return outcome

    def _found(self, inferred: Inferred) -> tuple[Finding, dict[str, float]]:
        finding = self.classifier.conclude(inferred.prepared, inferred.logits)
        timings_ms = {"queue": inferred.queue_ms, **finding.timings_ms}
        self.metrics.classified(finding.prediction, timings_ms)
        return finding, timings_ms

    def _begin(self, data: bytes, came: float) -> Future[Inferred]:
        """Hand a file to a thread. `came`: when its request asked for it, of `time.perf_counter`."""
        ended: Future[Inferred] = Future()
        self._threads.submit(self._work, data, came, ended)
        return ended

    def _work(self, data: bytes, came: float, ended: Future[Inferred]) -> None:
        """In a thread: all of the work, or all until a batch takes the image along."""
        begun = time.perf_counter()
        try:
            prepared = self.classifier.prepare(data)
            inferring = time.perf_counter()
            logits = self._infer(prepared.image)
        except BaseException as error:
            ended.set_exception(error)
            return

        def end(logits: Future[Logits]) -> None:
            prepared.watch.timings_ms["inference"] = (time.perf_counter() - inferring) * 1000
            error = logits.exception()
            if error is None:
                ended.set_result(Inferred(prepared, logits.result(), (begun - came) * 1000))
            else:
                ended.set_exception(error)

        logits.add_done_callback(end)

    def _infer_here(self, image: Images) -> Future[Logits]:
        """In the thread that asks, on all cores if no other work runs: one that is being decoded needs a core too."""
        done: Future[Logits] = Future()
        done.set_result(self.classifier.ensemble.logits(image[np.newaxis], alone=self.classifications.running == 1))
        return done


def synthetic_png() -> bytes:
    """A picture of a gradient: what the warm-up classifies."""
    ramp = np.linspace(0, 255, 256, dtype=np.uint8)
    ok, png = cv2.imencode(".png", np.tile(ramp, (256, 1)))
    assert ok
    return png.tobytes()
