"""The contestants of a comparison: how each is started, measured, and paused while others run."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import psutil

from cxr.model.bundle import Bundle
from cxr.model.inference import PrecisionChoice
from cxr.pipeline import Classifier
from loadtests.clients import closed_loop, lasting, run
from loadtests.golden import GoldenRequest
from scripts.forms import FORM, form
from scripts.server import REPOSITORY, free_port, serve, stop
from scripts.waiting import wait_until_answering
from service.bundles.served import synthetic_png
from service.settings import CORES, Settings

WARM_UP_S: Final = 1.0
START_S: Final = 180

Sending = Callable[[GoldenRequest], GoldenRequest]


@dataclass(frozen=True, slots=True)
class Measured:
    """A measurement of one contestant. Rate and latency count golden answers only."""

    per_second: float
    median_ms: float
    wrong: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Contestant:
    """A name, a function to measure with (requests, clients, seconds), and the process to pause, if there is one.

    `precision` is that of its networks, which decides which answers are golden.
    """

    name: str
    measure: Callable[[Sequence[GoldenRequest], int, float], Measured]
    process: psutil.Process | None = None
    precision: PrecisionChoice = "auto"

    @contextmanager
    def awake(self) -> Iterator[None]:
        """Running within the context, paused afterwards."""
        self.go()
        try:
            yield
        finally:
            self.stop()

    def go(self) -> None:
        """Resume it."""
        for process in self._family():
            process.resume()

    def stop(self) -> None:
        """Pause it."""
        for process in self._family():
            process.suspend()

    def _family(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)] if self.process else []


@contextmanager
def service(name: str, log: Path, settings: Settings) -> Iterator[Contestant]:
    """This service, from this checkout."""
    chosen = settings.model_dump(include={"threads", "classifications", "precision"})
    with serve(log, settings.bundle, **chosen) as server:
        server.wait_for_explainer(synthetic_png())  # starting it uses a whole core for seconds
        measure = partial(_over_http, str(server.client.base_url), unchanged)
        yield Contestant(name, measure, psutil.Process(server.process.pid), settings.precision)


@contextmanager
def peer(name: str, module: str, sending: Sending, log: Path, settings: Settings) -> Iterator[Contestant]:
    """One of `loadtests.peers`."""
    port = free_port()
    command = [sys.executable, "-m", f"loadtests.peers.{module}"]
    arguments = [str(port), str(settings.threads), str(CORES)]
    environment = {**os.environ, "CXR_PRECISION": settings.precision}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, *arguments], cwd=REPOSITORY, env=environment, stdout=out, stderr=subprocess.STDOUT
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_answering(f"{url}/docs", process, START_S, log, any_status=True)
            measure = partial(_over_http, url, sending)
            yield Contestant(name, measure, psutil.Process(process.pid), settings.precision)
        finally:
            stop(process)


def ceiling(name: str, settings: Settings) -> Contestant:
    """The same decoding, pre-processing and onnxruntime in threads of this process, without HTTP."""
    classifier = Classifier(Bundle(settings.bundle), settings.threads, settings.precision)
    return Contestant(name, partial(_in_process, classifier), precision=settings.precision)


def unchanged(request: GoldenRequest) -> GoldenRequest:
    """The file as the body."""
    return request


def as_form(request: GoldenRequest) -> GoldenRequest:
    """The same file in a form's field `request`."""
    sample = request.sample
    body = form([sample.data], "request", sample.media_type)
    return replace(request, sample=replace(sample, media_type=FORM, data=body))


def _over_http(url: str, sending: Sending, asked: Sequence[GoldenRequest], clients: int, seconds: float) -> Measured:
    begin = time.monotonic() + WARM_UP_S
    replies = run(closed_loop(url, [sending(request) for request in asked], clients, lasting(WARM_UP_S + seconds)))
    counted = [reply for reply in replies if reply.right and begin <= reply.begun + reply.seconds < begin + seconds]
    return Measured(
        len(counted) / seconds,
        float(np.median([reply.seconds for reply in counted] or [np.nan])) * 1000,
        sum(reply.wrong for reply in replies),
        sum(reply.status != reply.request.status for reply in replies),
    )


def _in_process(classifier: Classifier, asked: Sequence[GoldenRequest], clients: int, seconds: float) -> Measured:
    begin = time.monotonic() + WARM_UP_S
    threads = min(clients, CORES)

    def loop(first: int) -> list[float]:
        taken = []
        turn = first
        while (start := time.monotonic()) < begin + seconds:
            classifier.classify(asked[turn % len(asked)].sample.data, alone=threads == 1)
            end = time.monotonic()
            if begin <= end < begin + seconds:
                taken.append(end - start)
            turn += threads
        return taken

    with ThreadPoolExecutor(threads) as pool:
        taken = [one for many in pool.map(loop, range(threads)) for one in many]
    return Measured(len(taken) / seconds, float(np.median(taken or [np.nan])) * 1000)
