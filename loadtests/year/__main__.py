"""A year in an hour: requests, new bundles, key rotations, killed workers, rotated logs, a stepped clock, a full disk.

    python -m loadtests.year                        # a year: 10⁶ requests; most of a day on two cores
    python -m loadtests.year --requests 4000 --kills 20 --write

Events happen one after the other, at random moments, while the load goes on. A seed determines their order. Only the
service's processes see the stepped clock, through libfaketime (Debian's package `libfaketime`). The full disk is a
tmpfs for log and temporary files, which needs the right to mount. If either is unavailable, the table says "not done".
"""

import os
import random
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from loadtests import mix, tables
from loadtests.chaos import WORKERS
from loadtests.golden import following_requests
from loadtests.samples import radiographs
from loadtests.year import events
from loadtests.year.bundles import Shelf
from loadtests.year.clients import CLIENTS, Clients, KeyRing
from loadtests.year.events import Fault, World
from loadtests.year.memory import Watch
from scripts.server import REPOSITORY, serve

Event = Callable[[World], None]

KINDS: Final = (
    "new bundles",
    "key rotations",
    "workers killed (SIGKILL)",
    "log rotations",
    "disk full, and a new bundle meanwhile",
    "clock steps",
)
SWAPS, ROTATIONS, KILLS, LOGS, DISKS, STEPS = KINDS

DISK_MIB: Final = 64
LIBFAKETIME: Final = "faketime/libfaketime.so.1"

console = Console(stderr=True, width=160)


def calendar(swaps: int, rotations: int, kills: int, logs: int, disks: int, steps: bool) -> list[tuple[str, Event]]:
    """All events, in an order that is always the same. Every other kill hits the explainer."""
    workers = [events.kill(worker, route) for worker, route in WORKERS.items()]
    found: list[tuple[str, Event]] = [
        *[(SWAPS, events.swap)] * swaps,
        *[(ROTATIONS, events.rotate_keys)] * rotations,
        *[(KILLS, workers[i % len(workers)]) for i in range(kills)],
        *[(LOGS, events.rotate_log)] * logs,
        *[(DISKS, events.fill_disk)] * disks,
    ]
    random.Random(0).shuffle(found)
    for i, step in enumerate(events.CLOCK_STEPS if steps else ()):  # in this order: the last step restores the time
        place = (i + 1) * len(found) // (len(events.CLOCK_STEPS) + 1)
        found.insert(place, (STEPS, partial(events.step_clock, step=step)))
    return found


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Mount a tmpfs on a folder. Returns false if this user may not mount one."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "cxr-year", str(folder)]
    mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False)


def fake_clock(folder: Path) -> Path | None:
    """The file that sets the clock of processes started from now on; None without libfaketime."""
    libraries = (Path(base) / LIBFAKETIME for base in ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"))
    library = next((path for path in libraries if path.exists()), None)
    if library is None:
        return None
    clock = folder / "clock"
    clock.write_text("+0s")
    os.environ |= {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    return clock


class Year:
    """The events of a calendar, spread over the requests."""

    def __init__(self, world: World, requests: int, planned: list[tuple[str, Event]]) -> None:
        self._world, self._requests, self._planned = world, requests, planned
        self.done: Counter[str] = Counter()
        self.failed: list[str] = []

    def live(self, clients: Clients) -> None:
        """Return when all requests have been answered and all events are over."""
        for i, (name, event) in enumerate(self._planned, start=1):
            self._wait_for(clients, i * self._requests // (len(self._planned) + 1))
            begin = time.monotonic()
            try:
                event(self._world)
                self.done[name] += 1
            except Fault as fault:
                self.failed.append(f"{name}: {fault}")
            console.print(i, name, f"{time.monotonic() - begin:.1f} s", clients.tally.shown(), *self.failed, sep=" | ")
        self._wait_for(clients, self._requests)

    def _wait_for(self, clients: Clients, answered: int) -> None:
        while clients.tally.answered < answered:
            time.sleep(0.2)


def rows(year: Year, clients: Clients, memory: Watch, planned: Counter[str]) -> list[tuple[object, ...]]:
    """The report."""
    tally = clients.tally
    again = ", ".join(f"{count} × {what}" for what, count in tally.repeated.most_common())
    return [
        ("requests answered", tally.answered),
        *((name, _of(year.done[name], planned[name])) for name in KINDS),
        ("retried by the client, then answered", again or 0),
        ("**wrong answers**", sum(tally.wrong.values())),
        ("**accepted and lost**", sum(tally.lost.values())),
        *((f"memory of {worker}, MB", text) for worker, text in memory.rows()),
    ]


def _of(done: int, planned: int) -> str:
    if not planned:
        return "not done"
    return str(done) if done == planned else f"{done} of {planned}"


def command(
    requests: Annotated[int, typer.Option(help="Least number of answered requests.")] = 1_000_000,
    swaps: Annotated[int, typer.Option(help="New bundles.")] = 50,
    rotations: Annotated[int, typer.Option(help="Rotations of the API key.")] = 20,
    kills: Annotated[int, typer.Option(help="Workers killed, alternately of API and explainer.")] = 100,
    logs: Annotated[int, typer.Option(help="Rotations of the log.")] = 52,
    disks: Annotated[int, typer.Option(help="How often the disk fills up.")] = 4,
    write: Annotated[bool, typer.Option(help="Put the table into docs/reliability.md.")] = False,
) -> None:
    """Run a year's events and report the results."""
    with tempfile.TemporaryDirectory(prefix="cxr-year-") as name, small_disk(Path(name)) as mounted, _shelf() as shelf:
        folder = Path(name)
        asked = following_requests(radiographs(4), shelf.bundles)
        clock, keys = fake_clock(folder), KeyRing(folder / "keys")
        planned = calendar(swaps, rotations, kills, logs, disks if mounted else 0, steps=clock is not None)
        tempfile.tempdir = name  # for the service's own files
        with serve(folder / "log", shelf.current, api_keys_file=keys.path) as server:
            probe = {request.route: request for request in asked if request.sample.media_type == "image/png"}
            world = World(server, shelf, keys, folder, clock, probe)
            events.see_right_answers(world)
            year, begin = Year(world, requests, planned), time.monotonic()
            with Watch(server) as memory, Clients(str(server.client.base_url), mix.draw(asked), keys) as clients:
                year.live(clients)
            minutes = (time.monotonic() - begin) / 60
    tally = clients.tally
    found = [*year.failed, *(f"{count} wrong: {what}" for what, count in tally.wrong.items())]
    found += [f"{count} lost: {what}" for what, count in tally.lost.items()] + memory.faults()
    options = (
        f"--requests {requests} --swaps {swaps} --rotations {rotations} --kills {kills} --logs {logs} --disks {disks}"
    )
    text = tables.table(("what", "how often"), rows(year, clients, memory, Counter(name for name, _ in planned))) + (
        f"\n\n{minutes:.0f} minutes, {CLIENTS} clients. {tables.machine()}. `python -m loadtests.year {options}`. "
        f"Faults: {'; '.join(found) or 'none'}."
    )
    tables.publish(tables.RELIABILITY, "year", text, write)
    raise typer.Exit(bool(found))


@contextmanager
def _shelf() -> Iterator[Shelf]:
    """A folder in the repository's own file system, because the bundles' files are hard links."""
    build = REPOSITORY / "build"
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="year-", dir=build) as name:
        yield Shelf(Path(name))


if __name__ == "__main__":
    typer.run(command)
