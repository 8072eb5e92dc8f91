"""Kill workers under load: measure lost and wrong answers, and the time until the next worker answers.

    python -m loadtests.chaos

A kill -9 may lose only the requests in flight in that worker. After a SIGTERM every accepted request must be answered.
/classify must be unaffected by the explainer's state.
"""

import itertools
import random
import signal
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Annotated, Final, Self

import numpy as np
import typer
from rich.console import Console
from rich.progress import track

from loadtests import tables
from loadtests.clients import Reply, closed_loop, run
from loadtests.golden import GoldenRequest, golden_requests
from loadtests.samples import radiographs
from scripts.server import Server, serve

CLIENTS: Final = {"/classify": 4, "/explain": 2}
WORKERS: Final = {"deepcovidexplainer": "/classify", "explainer": "/explain"}
"""Each BentoML service, and the route that needs it."""
SIGNALS: Final = (signal.SIGKILL, signal.SIGTERM)
RETURN_S: Final = 90.0


@dataclass
class Load:
    """Clients in their own threads, which run while the context lasts."""

    url: str
    asked: Sequence[GoldenRequest]
    replies: list[Reply] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._loop, args=(asked, CLIENTS[route]))
            for route in CLIENTS
            if (asked := [request for request in self.asked if request.route == route])
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _loop(self, asked: Sequence[GoldenRequest], clients: int) -> None:
        self.replies += run(closed_loop(self.url, asked, clients, lambda: not self._over.is_set()))


@dataclass(frozen=True)
class StrikeOutcome:
    """The effects on all requests of many signals of one kind to one worker."""

    worker: str
    signal: signal.Signals
    blows: list[float]
    """Times of the signals, of `time.monotonic()`."""
    ends: list[float]
    """Times when the process was gone: the connections of a dying process stay open until its memory is released."""
    back_s: list[float]
    """Seconds from each signal to the first answer of a new worker."""
    replies: list[Reply]

    @property
    def in_flight(self) -> int:
        """Number of requests in flight at the signals."""
        return sum(_meets(reply, blow, blow) for reply in self.replies for blow in self.blows)

    @property
    def lost(self) -> list[Reply]:
        return [reply for reply in self.replies if reply.lost]

    def faults(self) -> list[str]:
        """Violated requirements."""
        deaths = list(zip(self.blows, self.ends, strict=True))
        stray = [reply for reply in self.lost if not any(_meets(reply, *death) for death in deaths)]
        errors = ", ".join(sorted({reply.error for reply in self.lost}))
        hurt = [reply for reply in self.replies if reply.request.route == "/classify" and not reply.right]
        found = {
            f"lost although not in flight ({errors})": len(stray),
            "wrong": sum(reply.wrong for reply in self.replies),
            "5xx other than a refusal": sum(reply.failed for reply in self.replies),
            f"lost after a SIGTERM ({errors})": len(self.lost) if self.signal == signal.SIGTERM else 0,
            "/classify not answered while the explainer was down": len(hurt) if self.worker == "explainer" else 0,
        }
        return [f"{self.worker}, {self.signal.name}: {count} {what}" for what, count in found.items() if count]

    def row(self) -> tuple[object, ...]:
        counts = [self._counts(route) for route in CLIENTS]
        back = f"{np.median(self.back_s):.1f} / {max(self.back_s):.1f}"
        return (self.worker, self.signal.name, len(self.blows), self.in_flight, *counts, back)

    def _counts(self, route: str) -> str:
        mine = [reply for reply in self.replies if reply.request.route == route]
        numbers = (
            len(mine),
            sum(reply.lost for reply in mine),
            sum(reply.refused for reply in mine),
            sum(reply.failed for reply in mine),
            sum(reply.wrong for reply in mine),
        )
        return " / ".join(map(str, numbers))


HEAD: Final = (
    "worker",
    "signal",
    "times",
    "requests in flight",
    *(f"{route}: sent / lost / 429 or 503 / other 5xx / wrong" for route in CLIENTS),
    "new worker answers after, s: median / max",
)


def strike(
    servers: Sequence[Server],
    url: str,
    asked: Sequence[GoldenRequest],
    worker: str,
    kind: signal.Signals,
    times: int,
) -> StrikeOutcome:
    """Send a signal to a worker `times` times, each at a random moment after the last worker was replaced.

    Args:
        servers: the signalled servers, in turn.
        url: the URL for clients: the single server, or a proxy before several.
        asked: the requests that the clients send.
        worker: a key of `WORKERS`.
        kind: the signal.
        times: how often.
    """
    chance = random.Random(0)
    probe = next(request for request in asked if request.route == WORKERS[worker])
    blows, ends, back_s = [], [], []
    with Load(url, asked) as load:
        for i in track(range(times), f"{worker} {kind.name}", console=Console(stderr=True)):
            server = servers[i % len(servers)]
            time.sleep(chance.uniform(1, 2))
            old = server.worker(worker)
            blows.append(time.monotonic())
            old.send_signal(kind)
            old.wait(RETURN_S)
            ends.append(time.monotonic())
            server.wait_for_answer(probe.route, probe.sample.data, probe.sample.media_type, RETURN_S)
            back_s.append(time.monotonic() - blows[-1])
        time.sleep(1)
    return StrikeOutcome(worker, kind, blows, ends, back_s, load.replies)


def _meets(reply: Reply, start: float, end: float) -> bool:
    return reply.begun <= end and start <= reply.begun + reply.seconds


def command(
    times: Annotated[int, typer.Option(help="Number of signals of each kind to each kind of worker.")] = 20,
    write: Annotated[bool, typer.Option(help="Put the table into docs/reliability.md.")] = False,
) -> None:
    """Kill and terminate each kind of worker under load."""
    console = Console(width=160)
    asked = golden_requests(radiographs(8), explain=True)
    with tempfile.TemporaryDirectory() as logs, serve(Path(logs) / "log", None) as server:
        server.wait_for_explainer(next(q.sample.data for q in asked if q.sample.media_type == "image/png"))
        url = str(server.client.base_url)
        outcomes = []
        for worker, kind in itertools.product(WORKERS, SIGNALS):
            outcomes.append(strike([server], url, asked, worker, kind, times))
            console.print(
                *outcomes[-1].row(), sep=" | "
            )  # the whole test takes a quarter of an hour, so print results early
    faults = [fault for outcome in outcomes for fault in outcome.faults()]
    clients = " and ".join(f"{count} of {route}" for route, count in CLIENTS.items())
    text = tables.table(HEAD, [outcome.row() for outcome in outcomes]) + (
        f"\n\n{clients} in closed loops. {tables.machine()}. `python -m loadtests.chaos --times {times}`. "
        f"Faults: {'; '.join(faults) or 'none'}."
    )
    tables.publish(tables.RELIABILITY, "chaos", text, write)
    raise typer.Exit(bool(faults))


if __name__ == "__main__":
    typer.run(command)
