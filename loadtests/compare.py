"""Compare the service with a bare loop and with other servers: one run, interleaved rounds, paired ratios.

    python -m loadtests.compare

Every contestant has the same graph, images, clients and threads. Those in float32 use onnxruntime's CPU provider, the
others the service's choice. Within a round each is measured for some seconds, in random order, while the others are
stopped. A ratio is of two measurements of the same round, so that other load on the machine affects both equally.
"""

import math
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from scipy import stats

from cxr.model.bundle import Bundle
from cxr.model.inference import PrecisionChoice
from loadtests import tables
from loadtests.contestants import Contestant, Measured, Sending, as_form, ceiling, peer, service, unchanged
from loadtests.golden import GoldenRequest, golden_requests
from loadtests.paired import PAUSE_S, undisturbed
from loadtests.samples import radiographs
from service.settings import Settings

CLIENTS: Final = 8
Peer = tuple[str, Sending, PrecisionChoice]
"""A contestant's module, its form of request, and its precision; auto: that of this service."""

OURS: Final = "this service"
CEILING: Final = "the same pipeline in threads, no HTTP"
FLOAT32: Final = "this service in float32"
HTTP: Final = "FastAPI, answers from memory: HTTP and JSON alone"
SUM: Final = "the ceiling, then HTTP and JSON alone: the sum, computed"
PEERS: Final[dict[str, Peer]] = {
    "FastAPI, onnxruntime": ("fastapi_onnx", unchanged, "auto"),
    "FastAPI, onnxruntime in float32": ("fastapi_onnx", unchanged, "float32"),
    "LitServe, onnxruntime": ("litserve_onnx", as_form, "auto"),
    "FastAPI, eager PyTorch in float32": ("fastapi_torch", unchanged, "float32"),
    HTTP: ("fastapi_remembered", unchanged, "auto"),
}

PACKAGES: Final = ("fastapi", "uvicorn", "litserve", "onnxruntime-gpu", "onnxruntime-ep-openvino", "torch")

Rounds = dict[tuple[str, int], list[Measured]]
"""By contestant and number of clients, one measurement per round."""

Golden = Mapping[PrecisionChoice, Sequence[GoldenRequest]]
"""The requests, and the golden answers for a precision."""

MeasuredPair = tuple[Measured, Measured]
"""Our figure and another contestant's, of one round."""


@contextmanager
def contestants(settings: Settings, logs: Path) -> Iterator[list[Contestant]]:
    """Start all contestants and pause them."""
    with ExitStack() as stack:
        everybody = [ceiling(CEILING, settings), stack.enter_context(service(OURS, logs / "service.log", settings))]
        float32 = settings.model_copy(update={"precision": "float32"})
        everybody.append(stack.enter_context(service(FLOAT32, logs / "float32.log", float32)))
        for name, (module, sending, precision) in PEERS.items():
            log, chosen = logs / f"{name}.log", settings if precision == "auto" else float32
            everybody.append(stack.enter_context(peer(name, module, sending, log, chosen)))
        for contestant in everybody:
            stack.callback(contestant.go)
            contestant.stop()
        yield everybody


def measure(everybody: Sequence[Contestant], asked: Golden, rounds: int, seconds: float, alone: bool = False) -> Rounds:
    """Measure every contestant in every round, with `CLIENTS` clients and with one. `alone`: pause everything else."""
    chance = random.Random(0)
    measured: Rounds = {(one.name, clients): [] for one in everybody for clients in (CLIENTS, 1)}
    for _ in track(range(rounds), "rounds", console=Console(stderr=True)):
        for clients in (CLIENTS, 1):
            for contestant in chance.sample(everybody, len(everybody)):
                with contestant.awake(), undisturbed() if alone else nullcontext():
                    one = contestant.measure(asked[contestant.precision], clients, seconds)
                measured[contestant.name, clients].append(one)
                time.sleep(PAUSE_S if alone else 0)
    return measured


def one_after_the_other(first: Measured, second: Measured) -> Measured:
    """What a service would reach that does both with each request, on cores that either keeps busy."""
    rates = first.per_second, second.per_second
    return Measured(1 / sum(1 / rate for rate in rates) if all(rates) else 0.0, first.median_ms + second.median_ms)


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean of paired values, and its 95 % confidence interval by Student's t: NaN for a single pair."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, math.nan, math.nan
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    return mean, mean - half, mean + half


def ratio(pairs: Sequence[MeasuredPair]) -> tuple[float, float, float]:
    """Our throughput relative to another's: geometric mean of the rounds' ratios, with its interval."""
    mean, low, high = interval([math.log(a.per_second / b.per_second) for a, b in pairs])
    return math.exp(mean), math.exp(low), math.exp(high)


def added_ms(pairs: Sequence[MeasuredPair]) -> tuple[float, float, float]:
    """Our median latency minus another's: mean of the rounds' differences, with its interval."""
    return interval([a.median_ms - b.median_ms for a, b in pairs])


def result(measured: Rounds) -> str:
    """The table, one row per contestant."""
    head = (
        "contestant",
        f"{CLIENTS} clients: requests/s",
        "ours ÷ it [95 % interval]",
        "1 client: median ms",
        "ours - it, ms [95 % interval]",
        "wrong",
        "failed",
    )
    rows = []
    for name in dict.fromkeys(name for name, _ in measured):
        many, one = measured[name, CLIENTS], measured[name, 1]
        ours = name == OURS
        rows.append(
            (
                name,
                f"{np.median([m.per_second for m in many]):.1f}",
                "" if ours else _compared("{:.3f} [{:.3f}, {:.3f}]", ratio, measured[OURS, CLIENTS], many),
                f"{np.median([m.median_ms for m in one]):.1f}",
                "" if ours else _compared("{:+.1f} [{:+.1f}, {:+.1f}]", added_ms, measured[OURS, 1], one),
                sum(m.wrong for m in many + one),
                sum(m.failed for m in many + one),
            )
        )
    return tables.table(head, rows)


def _compared(
    form: str,
    figures: Callable[[Sequence[MeasuredPair]], tuple[float, ...]],
    ours: Sequence[Measured],
    theirs: Sequence[Measured],
) -> str:
    """Figures of the rounds in which both answered, and the number of other rounds."""
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if a.per_second and b.per_second]
    said = [form.format(*figures(pairs))] if pairs else []
    if silent := len(ours) - len(pairs):
        said.append(f"nothing answered in {silent} of {len(ours)} rounds")
    return ", ".join(said)


def versions() -> str:
    """The versions of what the contestants are made of; a package that is not installed is left out."""
    found = []
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    return ", ".join(found)


def command(
    rounds: Annotated[int, typer.Option(help="Interleaved rounds.")] = 5,
    seconds: Annotated[float, typer.Option(help="Duration of each measurement.")] = 4,
    media: Annotated[str, typer.Option(help="image/jpeg, image/png or application/dicom.")] = "image/jpeg",
    count: Annotated[int, typer.Option(help="Number of images.")] = 32,
    alone: Annotated[bool, typer.Option("--undisturbed", help="Pause everything else meanwhile (needs root).")] = False,
    write: Annotated[bool, typer.Option(help="Put the table into docs/performance.md.")] = False,
) -> None:
    """Compare this service with its ceiling and with other servers."""
    settings = Settings()
    samples, bundle = [sample for sample in radiographs(count) if sample.media_type == media], Bundle(settings.bundle)
    precisions: tuple[PrecisionChoice, ...] = (settings.precision, "float32")
    asked = {precision: golden_requests(samples, False, bundle, precision) for precision in precisions}
    with tempfile.TemporaryDirectory() as logs, contestants(settings, Path(logs)) as everybody:
        measured = measure(everybody, asked, rounds, seconds, alone)
    for clients in (CLIENTS, 1):
        pairs = zip(measured[CEILING, clients], measured[HTTP, clients], strict=True)
        measured[SUM, clients] = [one_after_the_other(*pair) for pair in pairs]
    text = result(measured) + (
        f"\n\n{tables.machine()}. {media}, {rounds} rounds of {seconds:g} s, {settings.threads} thread(s) an "
        f"inference that runs alone, {settings.classifications} files at once in this service. {versions()}. "
        f"{tables.command('loadtests.compare')}"
    )
    tables.publish(tables.PERFORMANCE, f"compare {media}", text, write)


if __name__ == "__main__":
    typer.run(command)
