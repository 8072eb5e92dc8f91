"""What a request needs to be answered: the bundle, admission control, and the client of the explainer."""

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
    """A file after inference: its logits [M, 1, 3], and when inference ended (`time.perf_counter`)."""

    prepared: Prepared
    logits: Logits
    ended: float


class Runtime:
    """Answers requests. The constructor loads the bundle and warms it up."""

    def __init__(self, settings: Settings, metrics: Metrics, explainer: Any, tracing: Tracing | None = None) -> None:
        """Load the bundle and start the decoders.

        Args:
            settings: see `Settings`.
            metrics: counts and times every classification and explanation.
            explainer: the remote explainer, from `bentoml.depends`.
            tracing: records every stage as a span; None if tracing is off.

        Raises:
            BundleError: the bundle does not match its manifest.
            DecoderUnavailable: no decoder starts.
        """
        self.settings = settings
        self.metrics = metrics
        self._tracing = tracing
        self._explainer = ExplainerClient(explainer)
        self.bundles = Bundles(settings, metrics, self._explainer, lambda: self.classifications.running)
        ensemble, batch = self.served.classifier.ensemble, self.served.classifier.ensemble.max_batch
        logger.info("networks compute in %s by %s", ensemble.precision, ensemble.provider)
        # Images that wait for their batch use no core, so they get additional places.
        at_once = settings.classifications + (LANES * batch if batch > 1 else 0)
        self.classifications = Admission(at_once, settings.queue, settings.queue_seconds)
        self._threads = ThreadPoolExecutor(settings.classifications, "classify")
        # A DICOM file that waits for a decoder takes a place here and in no other queue, so that a hanging decoder
        # delays only DICOM files.
        self.decodings = Admission(decoders().size, settings.queue, settings.queue_seconds)
        self._decoding_threads = ThreadPoolExecutor(decoders().size, "decode")
        if missing := decoders().warm():
            logger.warning("decoders are not fully sandboxed, this kernel lacks: %s", ", ".join(missing))
        # Refuse at once a request that would wait past its deadline.
        self.explanations = Admission(settings.explanations, settings.queue, settings.explain_seconds)
        metrics.watch(lambda: self.classifications.in_flight + self.decodings.in_flight)

    @property
    def served(self) -> Served:
        """The bundle for a request that begins now. A request reads this once, because the next read may differ."""
        return self.bundles.served

    async def classify(self, served: Served, data: bytes) -> tuple[Finding, dict[str, float]]:
        """The finding of a file, and the milliseconds of each stage and of the wait before them (`queue`).

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
        """As `classify`, and in addition the prepared file, so that it is decoded only once.

        The prepared file holds the result of `keep` on its pixels; without `keep` it holds no pixels.
        """
        self._check([data])
        return await self._classified(served, data, keep)

    async def classify_all(
        self, served: Served, files: Sequence[bytes]
    ) -> list[tuple[Finding, dict[str, float]] | BaseException]:
        """The result of `classify` for each file, in order: what it would return or raise.

        Raises:
            Busy: there is no room for one more file. Otherwise all files are admitted.
        """
        self._check(files)
        jobs = (self._classified(served, data) for data in files)
        answers = await asyncio.gather(*jobs, return_exceptions=True)
        return [answer if isinstance(answer, BaseException) else answer[:2] for answer in answers]

    async def preview(self, data: bytes) -> Preview:
        """The radiograph for a screen. It is decoded in the same threads and queues as for a classification.

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
        """Explain a finding. The arguments in `question` are those of `ExplainerService.explain`.

        Raises:
            Busy, DeadlineExceeded: see `Admission.run`.
            Refusal, ExplainerUnavailable, ExplainerDied, ExplanationFailed: see `ExplainerClient.explain`.
            OtherBundle: the explainer does not hold the requested bundle. It is then told to load the served one.
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
        """Classify a file that has been admitted."""
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
        # Run in the event loop's next iteration, after the answer is sent.
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
        """Prepare and infer, in a thread. With batches, only prepare and submit to the batch."""
        try:
            prepared = prepare()
            prepared.watch.began["inference"] = inferring = time.perf_counter()
            # Use all cores if nothing else runs. A file that is being decoded counts: it needs a core too.
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
