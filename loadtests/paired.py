"""/classify beside an earlier checkout's, request by request: how many milliseconds it has become slower.

    git worktree add ../base 5de5efd    # and its model: `models/default/onnx`
    python -m loadtests.paired ../base --theirs service.classifier:Api

Both services run, and one client asks both for the same file, one after the other in an order drawn anew. So whatever
else the machine does meets both alike. Both are started several times, since a process keeps for its life what it got
of memory and cores. What is told is the median of the pairs' differences with its 95 % interval: of the whole request,
of each stage that the answers time, and of all but the network, which is most of the time and of the noise.

Pairs come in bursts. With --undisturbed (root) everything else on the machine waits while a burst lasts, at most some
seconds: beside other work the network's time depends on what the scheduler did before, and differs by milliseconds
between processes whose networks are the same.
"""

import itertools
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
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
from loadtests.samples import Sample, radiographs
from scripts.server import serve

OURS: Final = "service.bento.classifier:ApiWithoutExplainer"
IMAGES: Final = 32
BURST: Final = 25  # pairs that count
WARM_UP: Final = 10  # pairs before them that do not
PAUSE_S: Final = 1.5  # for the others
WHOLE: Final = "whole request"
NETWORK: Final = "inference"

Timings = Mapping[str, float]
"""Milliseconds by stage, and of the whole request."""

Pair = tuple[Timings, Timings]
"""Of one file: ours and theirs."""


@contextmanager
def both(base: Path, theirs: str) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """A client of this checkout's service and one of the earlier checkout's, each with a connection of its own."""
    with ExitStack() as stack:
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours = stack.enter_context(serve(logs / "ours", None, (OURS,)))
        other = stack.enter_context(serve(logs / "theirs", None, (theirs,), cwd=base.resolve()))
        yield ours.client, other.client


def ask(client: httpx.Client, sample: Sample) -> Timings:
    """One request's milliseconds. Raises HTTPStatusError unless it is answered with success."""
    start = time.perf_counter()
    answer = client.post("/classify", content=sample.data, headers={"Content-Type": sample.media_type})
    whole_ms = (time.perf_counter() - start) * 1000
    stages = answer.raise_for_status().json()["timings_ms"]
    return {WHOLE: whole_ms, f"all but {NETWORK}": whole_ms - stages[NETWORK], **stages}


def pairs(clients: tuple[httpx.Client, httpx.Client], samples: Sequence[Sample], rng: random.Random) -> Iterator[Pair]:
    """For each file, what both take."""
    for sample in samples:
        timed = {turn: ask(clients[turn], sample) for turn in rng.sample(range(2), 2)}
        yield timed[0], timed[1]


def median(values: Sequence[float]) -> tuple[float, float, float]:
    """Median and its 95 % interval, by a percentile bootstrap over the values."""
    resampled = stats.bootstrap((values,), np.median, method="percentile", rng=np.random.default_rng(0))
    return float(np.median(values)), *resampled.confidence_interval


def measure(
    clients: tuple[httpx.Client, httpx.Client], samples: Sequence[Sample], bursts: int, alone: bool, rng: random.Random
) -> Iterator[Pair]:
    """So many bursts of pairs, `alone` on the machine or beside what else it does."""
    turn = itertools.cycle(samples)
    for _ in track(range(bursts), "bursts", console=Console(stderr=True)):
        with undisturbed() if alone else nullcontext():
            burst = list(pairs(clients, list(itertools.islice(turn, WARM_UP + BURST)), rng))
        yield from burst[WARM_UP:]
        time.sleep(PAUSE_S if alone else 0)


@contextmanager
def undisturbed() -> Iterator[None]:
    """This process and all its children go before everything else. Raises PermissionError where that takes root."""
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
    """The table, one row for the whole request and one a stage."""
    rows = []
    for stage in measured[0][0]:
        ours, theirs = ([timings[stage] for timings in side] for side in zip(*measured, strict=True))
        middle, low, high = median(np.subtract(ours, theirs).tolist())
        rows.append(
            (stage, f"{np.median(ours):.2f}", f"{np.median(theirs):.2f}", f"{middle:+.2f} [{low:+.2f}, {high:+.2f}]")
        )
    return tables.table(("median ms", "ours", "theirs", "difference [95 % interval]"), rows)


def main(
    base: Annotated[Path, typer.Argument(help="The earlier checkout, its model in place.")],
    theirs: Annotated[str, typer.Option(help="Its service.")] = OURS,
    starts: Annotated[int, typer.Option(min=1, help="How often both are started.")] = 4,
    bursts: Annotated[int, typer.Option(min=1, help=f"Of {BURST} pairs each, a start.")] = 6,
    alone: Annotated[bool, typer.Option("--undisturbed", help="Let all other work wait (root).")] = False,
    media: Annotated[str, typer.Option(help="image/jpeg, image/png or application/dicom.")] = "image/jpeg",
    write: Annotated[bool, typer.Option(help="Put the table into docs/reliability.md.")] = False,
) -> None:
    """Measure pairs of requests and print their differences."""
    samples = [sample for sample in radiographs(IMAGES) if sample.media_type == media]
    measured: list[Pair] = []
    rng = random.Random(0)
    for _ in range(starts):
        with both(base, theirs) as clients:
            measured += measure(clients, samples, bursts, alone, rng)
    command = " ".join(["python -m loadtests.paired", *sys.argv[1:]])
    text = f"{result(measured)}\n\n{media}, {len(measured)} pairs. {tables.machine()}. `{command}`"
    tables.publish(tables.RELIABILITY, f"paired {media}", text, write)


if __name__ == "__main__":
    typer.run(main)
