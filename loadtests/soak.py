"""Soak test: half an hour at half capacity, with explanations and 10 % bad files, to detect growth of any resource.

    python -m loadtests.soak
    python -m loadtests.soak --leak    # the same with a deliberate leak: must fail

Memory, descriptors and threads of each process are read every few seconds. The median of the last readings is compared
with that of the first after the warm-up.
"""

import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import psutil
import typer

from loadtests import mix, tables
from loadtests.clients import Reply, closed_loop, lasting, poisson, run
from loadtests.golden import GoldenRequest, golden_requests, refusals
from loadtests.samples import bad_ones, radiographs
from scripts.server import Server, serve

SERVICES: Final = ("deepcovidexplainer", "explainer")
CLIENTS: Final = 8
EVERY_S: Final = 2.0
WARM_UP: Final = 0.25  # warm-up, as a share of the time
EDGE: Final = 0.15  # share of the later readings, at either end, that is compared
GROWTH_MB: Final = 50.0
FLAT: Final = 5  # allowed growth: the number of descriptors varies with connections


@dataclass(frozen=True, slots=True)
class Reading:
    """A reading of one process."""

    at_s: float
    memory_mb: float
    descriptors: int
    threads: int


Readings = dict[str, list[Reading]]


def watch(server: Server, over: threading.Event) -> Readings:
    """Read every service's process until the end."""
    processes = {name: server.worker(name) for name in SERVICES}
    readings: Readings = {name: [] for name in SERVICES}
    begin = time.monotonic()
    while not over.wait(EVERY_S):
        for name, process in processes.items():
            readings[name].append(_read(process, time.monotonic() - begin))
    return readings


def soak(server: Server, asked: Sequence[GoldenRequest], rate: float, seconds: float) -> tuple[list[Reply], Readings]:
    """Run the load in this thread and the readings in another."""
    over = threading.Event()
    kept: list[Readings] = []
    watcher = threading.Thread(target=lambda: kept.append(watch(server, over)))
    watcher.start()
    try:
        replies = run(poisson(str(server.client.base_url), asked, rate, lasting(seconds)))
    finally:
        over.set()
        watcher.join()
    return replies, kept[0]


def edges(readings: Sequence[Reading]) -> tuple[Reading, Reading]:
    """Medians of the first readings after the warm-up, and of the last."""
    steady = readings[int(len(readings) * WARM_UP) :]
    width = max(1, int(len(steady) * EDGE))
    return _median(steady[:width]), _median(steady[-width:])


def faults(replies: Sequence[Reply], readings: Readings) -> list[str]:
    """Violated requirements."""
    found = []
    for name, of_one in readings.items():
        first, last = edges(of_one)
        if (grown := last.memory_mb - first.memory_mb) > GROWTH_MB:
            found.append(f"{name} grew by {grown:.0f} MB")
        if (more := last.descriptors - first.descriptors) > FLAT:
            found.append(f"{name} holds {more} descriptors more")
        if (more := last.threads - first.threads) > 0:
            found.append(f"{name} has {more} threads more")
    bad = Counter(_verdict(reply) for reply in replies if not reply.right)
    return found + [f"{count} {what}" for what, count in bad.items()]


def result(readings: Readings) -> str:
    """One row per process."""
    rows = []
    for name, of_one in readings.items():
        first, last = edges(of_one)
        rows.append(
            (
                name,
                f"{first.memory_mb:.0f} → {last.memory_mb:.0f} ({last.memory_mb - first.memory_mb:+.1f})",
                f"{max(reading.memory_mb for reading in of_one):.0f}",
                f"{first.descriptors} → {last.descriptors}",
                f"{first.threads} → {last.threads}",
            )
        )
    return tables.table(("process", "memory, MB: after warm-up → end", "most", "descriptors", "threads"), rows)


def _verdict(reply: Reply) -> str:
    """Describe a reply that is not the golden answer. At half of the capacity nothing may be refused."""
    if reply.lost:
        return f"lost ({reply.error})"
    if reply.refused or reply.late:
        return f"refused for lack of room or time ({reply.status})"
    return f"wrong ({reply.status} for {reply.request.status})"


def _read(process: psutil.Process, at_s: float) -> Reading:
    with process.oneshot():
        return Reading(at_s, process.memory_info().rss / 1e6, process.num_fds(), process.num_threads())


def _median(readings: Sequence[Reading]) -> Reading:
    at_s, memory_mb, descriptors, threads = np.median(
        [(one.at_s, one.memory_mb, one.descriptors, one.threads) for one in readings], axis=0
    )
    return Reading(at_s, memory_mb, int(descriptors), int(threads))


def command(
    minutes: Annotated[float, typer.Option(help="How long.")] = 30,
    leak: Annotated[bool, typer.Option("--leak", help="Serve `loadtests.leaky` instead: the soak must fail.")] = False,
    write: Annotated[bool, typer.Option(help="Put the table into docs/reliability.md.")] = False,
) -> None:
    """Run the soak test and monitor the processes."""
    good = radiographs(16)
    asked = mix.draw(golden_requests(good, explain=True), refusals(bad_ones(good)))
    entry = "loadtests.leaky:Api" if leak else "service.bento.api:Api"
    with tempfile.TemporaryDirectory() as logs, serve(Path(logs) / "log", None, (entry,)) as server:
        server.wait_for_explainer(next(s.data for s in good if s.media_type == "image/png"))
        busy = run(closed_loop(str(server.client.base_url), asked, CLIENTS, lasting(20)))
        rate = len(busy) / (max(reply.begun + reply.seconds for reply in busy) - busy[0].begun) / 2
        replies, readings = soak(server, asked, rate, minutes * 60)
    found = faults(replies, readings)
    bad = sum(reply.request.status != 200 for reply in replies)
    explained = sum(reply.request.route == "/explain" for reply in replies)
    text = result(readings) + (
        f"\n\n{len(replies)} requests in {minutes:g} minutes, {rate:.1f} a second, half of what {CLIENTS} clients got; "
        f"{bad} of them bad files, {explained} explanations. {tables.machine()}. "
        f"`python -m loadtests.soak --minutes {minutes:g}{' --leak' if leak else ''}`. "
        f"Faults: {'; '.join(found) or 'none'}."
    )
    tables.publish(tables.RELIABILITY, "leak" if leak else "soak", text, write)
    raise typer.Exit(bool(found))


if __name__ == "__main__":
    typer.run(command)
