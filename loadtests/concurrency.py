"""Many clients at once must get what each gets alone.

    python -m loadtests.concurrency http://127.0.0.1:3000 --classify 16 --explain 4 --seconds 60

Every answer is compared with the one given to the same file alone: the same label, the same prediction set, every
probability within 1e-5. Any error, or any wrong answer, and the exit status is 1.
"""

import asyncio
import itertools
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from scripts.demo import radiograph

TOLERANCE: Final = 1e-5
ROUTES: Final = ("/classify", "/explain")
MEDIA_TYPES: Final = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".dcm": "application/dicom"}
TIMEOUT_S: Final = 120

Answer = dict[str, Any]


@dataclass(frozen=True)
class Sample:
    """A file, and what the service says of it when it is asked nothing else."""

    data: bytes
    media_type: str
    alone: Answer


@dataclass
class Tally:
    """What one route answered."""

    seconds: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    wrong: int = 0
    largest: float = 0.0

    def judge(self, sample: Sample, answer: Answer) -> None:
        """Compare an answer with the one given alone."""
        alone = sample.alone
        difference = max(abs(p - alone["probabilities"][k]) for k, p in answer["probabilities"].items())
        self.largest = max(self.largest, difference)
        same = all(answer[key] == alone[key] for key in ("prediction", "prediction_set", "instance"))
        self.wrong += not (same and difference <= TOLERANCE)


async def main(url: str, clients: dict[str, int], seconds: float, files: list[tuple[bytes, str]]) -> dict[str, Tally]:
    """Ask for every file alone, then all at once for some seconds."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S, limits=limits) as http:
        if clients["/explain"]:
            await explainer_started(http, *files[0])
        samples = [Sample(*file, await alone(http, *file)) for file in files]
        tallies = {route: Tally() for route in ROUTES}
        end = time.monotonic() + seconds
        await asyncio.gather(
            *(
                client(http, route, tallies[route], samples[i % len(samples) :] + samples[: i % len(samples)], end)
                for route, count in clients.items()
                for i in range(count)
            )
        )
    return tallies


async def explainer_started(http: httpx.AsyncClient, data: bytes, media_type: str) -> None:
    """Wait for the first explanation: the service is ready to classify before its explainer has loaded torch."""
    async with asyncio.timeout(TIMEOUT_S):
        while (await http.post("/explain", content=data, headers={"Content-Type": media_type})).status_code == 503:
            await asyncio.sleep(0.5)


async def alone(http: httpx.AsyncClient, data: bytes, media_type: str) -> Answer:
    """What the service says of a file when nobody else asks."""
    response = await http.post("/classify", content=data, headers={"Content-Type": media_type})
    response.raise_for_status()
    return dict(response.json())


async def client(http: httpx.AsyncClient, route: str, tally: Tally, samples: list[Sample], end: float) -> None:
    """One client: a request, its answer, the next."""
    for sample in itertools.cycle(samples):
        if time.monotonic() >= end:
            return
        start = time.monotonic()
        try:
            response = await http.post(route, content=sample.data, headers={"Content-Type": sample.media_type})
        except httpx.HTTPError as error:
            tally.errors[type(error).__name__] += 1
            continue
        tally.seconds.append(time.monotonic() - start)
        if response.is_success:
            tally.judge(sample, response.json())
        else:
            tally.errors[f"{response.status_code} {response.json()['error']['code']}"] += 1


def show(tallies: dict[str, Tally], seconds: float) -> None:
    """Print the tallies side by side."""
    table = Table("route", "requests", "per second", "errors", "wrong", "max |Δp|", "p50 ms", "p95 ms", "p99 ms")
    for route, tally in tallies.items():
        percentiles = np.percentile(tally.seconds or [np.nan], (50, 95, 99)) * 1000
        table.add_row(
            route,
            str(len(tally.seconds)),
            f"{len(tally.seconds) / seconds:.1f}",
            ", ".join(f"{count} × {name}" for name, count in tally.errors.items()) or "0",
            str(tally.wrong),
            f"{tally.largest:.1e}",
            *(f"{value:.0f}" for value in percentiles),
        )
    Console(width=110).print(table)


def load(folder: Path | None, count: int) -> list[tuple[bytes, str]]:
    """The radiograph of pydicom-data in three formats, and some images of a folder."""
    files = [(data, media_type) for media_type, data in radiograph().items()]
    found = sorted(path for path in (folder.rglob("*") if folder else ()) if path.suffix.lower() in MEDIA_TYPES)
    picked = found[:: max(1, len(found) // count)][:count]
    return files + [(path.read_bytes(), MEDIA_TYPES[path.suffix.lower()]) for path in picked]


def command(
    url: Annotated[str, typer.Argument(help="Where the service answers.")],
    classify: Annotated[int, typer.Option(help="Clients of /classify.")] = 16,
    explain: Annotated[int, typer.Option(help="Clients of /explain.")] = 4,
    seconds: Annotated[float, typer.Option(help="How long.")] = 60,
    images: Annotated[Path | None, typer.Option(help="A folder of more radiographs, PNG, JPEG or DICOM.")] = None,
    count: Annotated[int, typer.Option(help="How many of them.")] = 20,
) -> None:
    """Check that concurrent answers are the answers given alone."""
    clients = dict(zip(ROUTES, (classify, explain), strict=True))
    tallies = asyncio.run(main(url, clients, seconds, load(images, count)))
    show(tallies, seconds)
    sys.exit(any(tally.errors or tally.wrong or not tally.seconds for tally in tallies.values()))


if __name__ == "__main__":
    typer.run(command)
