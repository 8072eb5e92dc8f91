"""Locust's users of the service: closed loops, Poisson arrivals, readers at the page. Every answer is compared with the
golden one.

    L="locust -f loadtests/locustfile.py --headless --host http://127.0.0.1:3000 --run-time 10m --html build/l.html"
    $L -u 8 Client
    $L --rate 30 Arrivals
    $L -u 4 Reader
    $L -u 2 Systems

Requests, and the rows of Locust's reports, are named by route and media type. The golden answers are computed in this
process before the first request. `CXR_BUNDLE` names the bundle, as for the service.
"""

import random
import time
from argparse import ArgumentParser
from functools import cache
from itertools import count
from typing import Any

import gevent
from locust import FastHttpUser, constant, events, stats, task
from locust.env import Environment

from cxr.decode import preview
from cxr.model.bundle import Bundle
from cxr.report.result import Result
from loadtests import mix
from loadtests.golden import AT_CAPACITY, REFUSING, GoldenRequest, golden_requests
from loadtests.representations import REPRESENTATIONS, Representation, result_of
from loadtests.samples import Sample, radiographs
from service.page.files import FILES, INDEX
from service.routes.page import PATHS, STATIC
from service.settings import Settings

stats.PERCENTILES_TO_REPORT = [0.5, 0.95, 0.99, 0.999]

FORMS = {form.name: form for form in REPRESENTATIONS}

_turn = count()


@cache
def golden() -> list[GoldenRequest]:
    """All requests, with golden answers."""
    return golden_requests(radiographs(32), explain=True, bundle=Bundle(Settings().bundle))


@cache
def asked() -> list[GoldenRequest]:
    """The mix of requests."""
    return mix.draw(golden())


@cache
def seen() -> list[tuple[Sample, bytes]]:
    """The radiographs that readers view, and the expected values."""
    return [(sample, preview(sample.data).values.astype("<u2").tobytes()) for sample in radiographs(4)]


@cache
def of_dicom() -> list[tuple[GoldenRequest, Result]]:
    """Requests to /explain for DICOM files, and the data for their golden answers."""
    bundle = Bundle(Settings().bundle)
    chosen = [q for q in golden() if q.route == "/explain" and q.sample.media_type == "application/dicom"]
    return [(request, result_of(request, bundle)) for request in chosen]


@events.init_command_line_parser.add_listener
def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--rate", type=float, default=10.0, help="Arrivals per second, for the user class Arrivals.")


@events.init.add_listener
def _compute(environment: Environment, **_: Any) -> None:  # noqa: ARG001
    asked()
    seen()
    of_dicom()


class _Asking(FastHttpUser):
    """Sends the next request of the mix."""

    abstract = True
    network_timeout = connection_timeout = 120.0

    def ask(self) -> None:
        """Send one request and check the answer."""
        requests_ = asked()
        request = requests_[next(_turn) % len(requests_)]
        media_type = request.sample.media_type
        with self.client.post(
            request.route,
            data=request.sample.data,  # type: ignore[arg-type]  # bytes are sent as they are
            headers={"Content-Type": media_type},
            name=f"{request.route} {media_type}",
            catch_response=True,
        ) as response:
            if response.status_code == 200 and not request.is_answered_by(200, response.content):
                response.failure("wrong answer")
            elif response.status_code in REFUSING:
                response.failure(AT_CAPACITY)


class Client(_Asking):
    """A closed loop: the next request follows immediately after the last answer."""

    wait_time = constant(0)

    @task
    def closed_loop(self) -> None:
        self.ask()


class Reader(_Asking):
    """A user of the page: loads it, views a radiograph, requests an explanation, and continues with the next."""

    wait_time = constant(1)

    def on_start(self) -> None:
        for path, name in PATHS.items():
            with self.client.get(path, name=name, catch_response=True) as response:
                if response.content != FILES[path.removeprefix(f"{STATIC}/").strip("/") or INDEX].content:
                    response.failure("wrong file")

    @task
    def read(self) -> None:
        sample, values = seen()[next(_turn) % len(seen())]
        with self.client.post(
            "/preview",
            data=sample.data,  # type: ignore[arg-type]  # bytes are sent as they are
            name=f"/preview {sample.media_type}",
            catch_response=True,
        ) as response:
            if response.status_code == 200 and response.content != values:
                response.failure("wrong preview")
        self.ask()


class Systems(FastHttpUser):
    """A hospital's systems: request each form of answer of /explain, in a closed loop."""

    network_timeout = connection_timeout = 120.0
    wait_time = constant(0)

    def ask(self, form: Representation) -> None:
        """Send one request and check the answer."""
        request, result = of_dicom()[next(_turn) % len(of_dicom())]
        with self.client.post(
            f"/explain{form.query}",
            data=request.sample.data,  # type: ignore[arg-type]
            headers={"Content-Type": "application/dicom", "Accept": form.accept},
            name=f"/explain {form.name}",
            catch_response=True,
        ) as response:
            if response.status_code == 200 and not form.is_right(result, response.content):
                response.failure("wrong answer")

    @task
    def fhir(self) -> None:
        self.ask(FORMS["fhir"])

    @task
    def structured_report(self) -> None:
        self.ask(FORMS["sr"])

    @task
    def secondary_capture(self) -> None:
        self.ask(FORMS["sc"])

    @task
    def both_objects(self) -> None:
        self.ask(FORMS["both"])


class Arrivals(_Asking):
    """One user who starts requests at exponential intervals without waiting for answers."""

    fixed_count = 1
    concurrency = 1000

    def on_start(self) -> None:
        self._due = time.monotonic()

    def wait_time(self) -> float:
        """Seconds to the next arrival. A late one does not delay those after it."""
        self._due += random.expovariate(self.environment.parsed_options.rate)
        return max(0.0, self._due - time.monotonic())

    @task
    def arrive(self) -> None:
        gevent.spawn(self.ask)
