"""What a request needs to be answered: the bundle, the admission to its works, the line to the explainer."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from cxr.arrays import Grey, Logits
from cxr.decode import Preview, is_dicom, preview
from cxr.decode.sandbox.pool import decoders
from cxr.model.cuda import LANES
from cxr.pipeline import Finding, Prepared
from cxr.report.explanation import Method
from service.admission import Admission
from service.bento.explainer import Outcome
from service.bundles.follow import Bundles
from service.bundles.served import Served
from service.explaining import ExplainerClient
from service.metrics import Metrics
from service.refusals import OtherBundle
from service.settings import Settings
from service.tracing import Tracing

logger = logging.getLogger("cxr.service")


@dataclass(frozen=True, slots=True)
class Inferred:
    """A file that the networks have seen: their logits [M, 1, 3], and when they had, of `time.perf_counter`."""

    prepared: Prepared
    logits: Logits
    ended: float


class Runtime:
    """Loaded and warm once it exists."""

    def __init__(self, settings: Settings, metrics: Metrics, explainer: Any, tracing: Tracing | None = None) -> None:
        """Raises BundleError if the bundle is not what its manifest says, DecoderUnavailable if no decoder starts.

        Args:
            settings: see `Settings`.
            metrics: told of every classification and explanation.
            explainer: the remote explainer, as `bentoml.depends` gives it.
            tracing: told of every stage; None where nobody wants to know.
        """
        self.settings = settings
        self.metrics = metrics
        self._tracing = tracing
        self._explainer = ExplainerClient(explainer)
        self.bundles = Bundles(settings, metrics, self._explainer, lambda: self.classifications.running)
        ensemble, batch = self.served.classifier.ensemble, self.served.classifier.ensemble.max_batch
        logger.info("networks compute in %s by %s", ensemble.precision, ensemble.provider)
        # An image that waits for its batch needs no core: those come on top.
        at_once = settings.classifications + (LANES * batch if batch > 1 else 0)
        self.classifications = Admission(at_once, settings.queue, settings.queue_seconds)
        self._threads = ThreadPoolExecutor(settings.classifications, "classify")
        # A DICOM file waits for a decoder here and holds no other place, so that a hanging decoder delays no other
        # file.
        self.decodings = Admission(decoders().size, settings.queue, settings.queue_seconds)
        self._decoding_threads = ThreadPoolExecutor(decoders().size, "decode")
        if missing := decoders().warm():
            logger.warning("this kernel does not shut decoders in: %s", ", ".join(missing))
        # One that would wait past its deadline is better told now.
        self.explanations = Admission(settings.explanations, settings.queue, settings.explain_seconds)
        metrics.watch(lambda: self.classifications.in_flight + self.decodings.in_flight)

    @property
    def served(self) -> Served:
        """The bundle for a request that begins now. It keeps it: the next one may get another."""
        return self.bundles.served

    async def classify(self, served: Served, data: bytes) -> tuple[Finding, dict[str, float]]:
        """A finding, and the milliseconds of each stage with the wait before them.

        Raises:
            Refusal: see `Classifier.classify`.
            DecoderUnavailable: no DICOM file can be decoded.
            Busy, DeadlineExceeded: see `Admission.run`.
        """
        self._check([data])
        finding, timings_ms, _ = await self._classified(served, data)
        return finding, timings_ms

    async def classify_to_explain(
        self, served: Served, data: bytes, keep: Callable[[Grey], Grey] | None
    ) -> tuple[Finding, dict[str, float], Prepared]:
        """As `classify`, and the file as prepared: nobody decodes it twice.

        Of its pixels it has what `keep` makes of them, by default none.
        """
        self._check([data])
        return await self._classified(served, data, keep)

    async def classify_all(
        self, served: Served, files: Sequence[bytes]
    ) -> list[tuple[Finding, dict[str, float]] | BaseException]:
        """For each file, in order, what `classify` would have returned or raised.

        Raises:
            Busy: there is no room for one more. Otherwise all are admitted, none refused for the others' sake.
        """
        self._check(files)
        works = (self._classified(served, data) for data in files)
        answers = await asyncio.gather(*works, return_exceptions=True)
        return [answer if isinstance(answer, BaseException) else answer[:2] for answer in answers]

    async def preview(self, data: bytes) -> Preview:
        """The radiograph for a screen, decoded where and when it would be for a classification.

        Raises:
            Refusal, DecoderUnavailable: see `cxr.decode.preview`.
            Busy, DeadlineExceeded: see `Admission.run`.
        """
        self._check([data])
        dicom = is_dicom(data)
        admission = self.decodings if dicom else self.classifications
        threads = self._decoding_threads if dicom else self._threads
        return await admission.run_admitted(partial(threads.submit, preview, data), self.settings.classify_seconds)

    async def explain(self, method: Method, **question: Any) -> Outcome:
        """An explanation of a finding; what else to ask is what `ExplainerService.explain` takes.

        Raises:
            Busy, DeadlineExceeded: see `Admission.run`.
            Refusal, ExplainerUnavailable, ExplainerDied, ExplanationFailed: see `ExplainerClient.explain`.
            OtherBundle: the explainer does not hold the bundle of the question; it is told of the one that is served.
        """
        start, loop = time.perf_counter(), asyncio.get_running_loop()

        def work() -> Future[Outcome]:
            return asyncio.run_coroutine_threadsafe(self._explainer.explain(method=method, **question), loop)

        try:
            outcome = await self.explanations.run(work, self.settings.deadline(method))
        except OtherBundle:
            self.bundles.unknown()
            raise
        seconds = time.perf_counter() - start
        self.metrics.explained(method, seconds)
        if self._tracing:
            self._tracing.ended("explanation", start, seconds)
        return outcome

    def _check(self, files: Sequence[bytes]) -> None:
        self.classifications.check()
        if any(map(is_dicom, files)):
            self.decodings.check()

    async def _classified(
        self, served: Served, data: bytes, keep: Callable[[Grey], Grey] | None = None
    ) -> tuple[Finding, dict[str, float], Prepared]:
        """The answer to a file that is admitted."""
        came = time.perf_counter()
        prepare = partial(served.classifier.prepare, data, keep)
        if is_dicom(data):
            decoding = partial(self._decoding_threads.submit, prepare)
            prepared = await self.decodings.run_admitted(decoding, self._seconds_left(came))
            prepare = partial(_same, prepared)
        inferring = partial(self._begin, served, prepare)
        inferred = await self.classifications.run_admitted(inferring, self._seconds_left(came))
        finding = served.classifier.conclude(inferred.prepared, inferred.logits)
        if self._tracing:
            for stage, began in inferred.prepared.watch.began.items():
                self._tracing.ended(stage, began, finding.timings_ms[stage] / 1000)
        waited_ms = (inferred.ended - came) * 1000 - sum(finding.timings_ms.values())
        timings_ms = {"queue": waited_ms, **finding.timings_ms}
        # In the event loop's next turn, which begins when the answer is sent.
        asyncio.get_running_loop().call_soon(self.metrics.classified, finding, inferred.prepared, timings_ms)
        return finding, timings_ms, inferred.prepared

    def _seconds_left(self, came: float) -> float:
        return self.settings.classify_seconds - (time.perf_counter() - came)

    def _begin(self, served: Served, prepare: Callable[[], Prepared]) -> Future[Inferred]:
        """Hand a file to a thread."""
        ended: Future[Inferred] = Future()
        self._threads.submit(self._work, served, prepare, ended)
        return ended

    def _work(self, served: Served, prepare: Callable[[], Prepared], ended: Future[Inferred]) -> None:
        """In a thread: all of the work, or all until a batch takes the image along."""
        try:
            prepared = prepare()
            prepared.watch.began["inference"] = inferring = time.perf_counter()
            # On all cores if no other work runs: one that is being decoded needs a core too.
            alone = self.classifications.running + self.decodings.running == 1
            logits = served.infer(prepared.views, alone)
        except BaseException as error:
            ended.set_exception(error)
            return

        def end(logits: Future[Logits]) -> None:
            now = time.perf_counter()
            prepared.watch.timings_ms["inference"] = (now - inferring) * 1000
            error = logits.exception()
            if error is None:
                ended.set_result(Inferred(prepared, logits.result(), now))
            else:
                ended.set_exception(error)

        logits.add_done_callback(end)


def _same(prepared: Prepared) -> Prepared:
    return prepared
