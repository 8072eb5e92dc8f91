"""Compare a route with that of an earlier checkout, request by request: how many milliseconds slower it is.

    git worktree add ../base 5de5efd    # and its model: `models/default/onnx`
    python -m loadtests.paired ../base --theirs service.classifier:Api
    python -m loadtests.paired ../base --rg1 --route '/explain?pictures=none' --their-route /explain
    python -m loadtests.paired ../base --rg1 --accept image/jpeg --route /explain

Both services run, and one client sends the same file to both, one after the other in random order, so that other load
on the machine affects both equally. Both are started several times, because a process keeps its memory layout and cores
for its lifetime. The output is the median of the pairs' differences, and the ratio of both medians, with 95 %
intervals: for the whole request, for each stage that both answers time, and for everything except the network, which
causes most of the time and noise. With --clients, several clients send to one service at once, then to the other, burst
by burst. The 95th percentiles are always printed.

Pairs come in bursts. With --undisturbed (root) everything else on the machine is paused during a burst, for some
seconds at most: with other load the network's time depends on earlier scheduling, and differs by milliseconds between
processes with identical networks.
"""

import itertools
import os
import random
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import httpx
import numpy as np
import psutil
import typer
from rich.console import Console
from rich.progress import track
from scipy import stats

from loadtests import tables
from loadtests.samples import Sample, radiographs, real_radiograph
from scripts.server import serve

OURS: Final = "service.bento.classifier:ApiWithoutExplainer"
EXPLAINS: Final = "service.bento.api:Api"
IMAGES: Final = 32
BURST: Final = 25  # pairs that count
WARM_UP: Final = 10  # warm-up pairs before them, which do not count
PAUSE_S: Final = 1.5  # for all other requests
WHOLE: Final = "whole request"
NETWORK: Final = "inference"

Timings = Mapping[str, float]
"""Milliseconds by stage and of the whole request."""

Pair = tuple[Timings, Timings]
"""Our and their times for one file."""


@dataclass(frozen=True, slots=True)
class Asker:
    """A client of one service, with its route and Accept header."""

    client: httpx.Client
    route: str = "/classify"
    accept: str = "application/json"

    def ask(self, sample: Sample) -> Timings:
        """The milliseconds of one request. Raises HTTPStatusError unless it succeeds."""
        headers = {"Content-Type": sample.media_type, "Accept": self.accept}
        start = time.perf_counter()
        answer = self.client.post(self.route, content=sample.data, headers=headers)
        whole_ms = (time.perf_counter() - start) * 1000
        if not answer.raise_for_status().headers["Content-Type"].startswith("application/json"):
            return {WHOLE: whole_ms}
        stages = answer.json()["timings_ms"]
        return {WHOLE: whole_ms, f"all but {NETWORK}": whole_ms - stages[NETWORK], **stages}


Both = tuple[Asker, Asker]
"""Our client and theirs."""


@contextmanager
def both(base: Path, services: tuple[str, str], questions: tuple[tuple[str, str], tuple[str, str]]) -> Iterator[Both]:
    """A client of this checkout's service and one of the earlier checkout's. `questions`: route and Accept of each."""
    with ExitStack() as stack:
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours = stack.enter_context(serve(logs / "ours", None, services[:1]))
        other = stack.enter_context(serve(logs / "theirs", None, services[1:], cwd=base.resolve()))
        askers = Asker(ours.client, *questions[0]), Asker(other.client, *questions[1])
        radiograph = real_radiograph()
        for server, (route, _) in zip((ours, other), questions, strict=True):  # an explainer must first import torch
            server.wait_for_answer(route, radiograph.data, radiograph.media_type, 240)
        yield askers


def pairs(askers: Both, samples: Sequence[Sample], rng: random.Random) -> Iterator[Pair]:
    """For each file, the times of both services."""
    for sample in samples:
        timed = {turn: askers[turn].ask(sample) for turn in rng.sample(range(2), 2)}
        yield timed[0], timed[1]


def crowds(askers: Both, samples: Sequence[Sample], clients: int, rng: random.Random) -> Iterator[Pair]:
    """For each file, the times of both services with several clients at once."""
    with ThreadPoolExecutor(clients) as pool:
        timed = {turn: list(pool.map(askers[turn].ask, samples)) for turn in rng.sample(range(2), 2)}
    yield from zip(timed[0], timed[1], strict=True)


def median(values: Sequence[float]) -> tuple[float, float, float]:
    """Median and its 95 % interval, by a percentile bootstrap over the values."""
    resampled = stats.bootstrap((values,), np.median, method="percentile", rng=np.random.default_rng(0))
    return float(np.median(values)), *resampled.confidence_interval


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float, float]:
    """Ratio of two medians of pairs and its 95 % interval, by a percentile bootstrap over the pairs."""
    rng, both = np.random.default_rng(0), np.asarray([ours, theirs])
    drawn = both[:, rng.integers(0, both.shape[1], (2000, both.shape[1]))]
    one, other = np.median(drawn, axis=2)
    middle = np.median(both, axis=1)
    return float(middle[0] / middle[1]), *np.quantile(one / other, (0.025, 0.975)).tolist()


def measure(
    askers: Both, samples: Sequence[Sample], bursts: int, clients: int, alone: bool, rng: random.Random
) -> Iterator[Pair]:
    """Measure bursts of pairs. `alone`: pause everything else on the machine."""
    turn = itertools.cycle(samples)
    for _ in track(range(bursts), "bursts", console=Console(stderr=True)):
        with undisturbed() if alone else nullcontext():
            files = list(itertools.islice(turn, WARM_UP + BURST))
            burst = list(pairs(askers, files, rng) if clients == 1 else crowds(askers, files, clients, rng))
        yield from burst[WARM_UP:]
        time.sleep(PAUSE_S if alone else 0)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Give this process and its children priority over everything else. Raises PermissionError without root."""
    _schedule(os.SCHED_RR, 1)
    try:
        yield
    finally:
        _schedule(os.SCHED_OTHER, 0)


def _schedule(policy: int, priority: int) -> None:
    this = psutil.Process()
    for process in (this, *this.children(recursive=True)):
        for thread in process.threads():
            with suppress(ProcessLookupError):
                os.sched_setscheduler(thread.id, policy, os.sched_param(priority))


def result(measured: Sequence[Pair]) -> str:
    """The table: one row for the whole request, and one for each stage that both report."""
    rows = []
    for stage in (stage for stage in measured[0][0] if stage in measured[0][1]):
        ours, theirs = ([timings[stage] for timings in side] for side in zip(*measured, strict=True))
        middle, low, high = median(np.subtract(ours, theirs).tolist())
        times, least, most = ratio(ours, theirs)
        rows.append(
            (
                stage,
                f"{np.median(ours):.2f}",
                f"{np.median(theirs):.2f}",
                f"{middle:+.2f} [{low:+.2f}, {high:+.2f}]",
                f"{times:.3f} [{least:.3f}, {most:.3f}]",
            )
        )
    head = ("median ms", "ours", "theirs", "difference [95 % interval]", "ours ÷ theirs [95 % interval]")
    return tables.table(head, rows)


def tail(measured: Sequence[Pair]) -> str:
    """A sentence on the 95th percentiles of the whole request."""
    ours, theirs = (np.quantile([timings[WHOLE] for timings in side], 0.95) for side in zip(*measured, strict=True))
    return f"95th percentiles: ours {ours:.0f} ms, theirs {theirs:.0f} ms, ratio {ours / theirs:.2f}."


def main(
    base: Annotated[Path, typer.Argument(help="The earlier checkout, including its model.")],
    theirs: Annotated[str, typer.Option(help="Its service.")] = "",
    route: Annotated[str, typer.Option(help="Route of this checkout's service.")] = "/classify",
    accept: Annotated[str, typer.Option(help="Accept header.")] = "application/json",
    their_route: Annotated[str, typer.Option(help="Route of the earlier service; by default the same, as JSON.")] = "",
    clients: Annotated[int, typer.Option(min=1, help="Number of clients at once.")] = 1,
    starts: Annotated[int, typer.Option(min=1, help="How often both services are started.")] = 4,
    bursts: Annotated[int, typer.Option(min=1, help=f"Bursts per start, of {BURST} pairs each.")] = 6,
    alone: Annotated[bool, typer.Option("--undisturbed", help="Pause everything else meanwhile (needs root).")] = False,
    media: Annotated[str, typer.Option(help="image/jpeg, image/png or application/dicom.")] = "image/jpeg",
    rg1: Annotated[bool, typer.Option("--rg1", help="Send only pydicom-data's RG1, as DICOM.")] = False,
    write: Annotated[bool, typer.Option(help="Put the table into docs/reliability.md.")] = False,
) -> None:
    """Measure pairs of requests and print their differences."""
    samples = [real_radiograph()] if rg1 else [one for one in radiographs(IMAGES) if one.media_type == media]
    measured: list[Pair] = []
    rng = random.Random(0)
    ours = EXPLAINS if route.startswith("/explain") else OURS
    questions = (route, accept), (their_route or route, "application/json")
    for _ in range(starts):
        with both(base, (ours, theirs or ours), questions) as askers:
            measured += measure(askers, samples, bursts, clients, alone, rng)
    command = shlex.join(["python", "-m", "loadtests.paired", *sys.argv[1:]])
    what = "RG1 as DICOM" if rg1 else media
    notes = f"{what}, {len(measured)} pairs. {tail(measured)} {tables.machine()}. `{command}`"
    tables.publish(tables.RELIABILITY, f"paired {media}", f"{result(measured)}\n\n{notes}", write)


if __name__ == "__main__":
    typer.run(main)
