"""Send hostile files while other clients are served: measure the answers, and the latency of `/livez`.

    python -m loadtests.hostile FOLDER --rounds 2

FOLDER contains DICOM files that crash or hang a decoder. Meanwhile eight clients in closed loops send radiographs and
compare each answer with the golden one, and a probe requests `/livez` every 20 ms on one connection.
"""

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final

import aiohttp
import numpy as np
import typer

from loadtests.clients import Reply, closed_loop, run
from loadtests.golden import GoldenRequest, golden_requests
from loadtests.samples import radiographs
from scripts.server import serve

CLIENTS: Final = 8
PROBE_S: Final = 0.02
P99_MS: Final = 100.0
MOST_MS: Final = 500.0


def main(
    folder: Annotated[Path, typer.Argument(help="Folder of hostile DICOM files.")],
    rounds: Annotated[int, typer.Option(min=1, help="How often each file is sent.")] = 2,
) -> None:
    """Serve the default bundle, attack it, and print the results. Exit status 1 if a requirement is violated."""
    files = sorted(folder.glob("*.dcm")) * rounds
    asked = golden_requests(radiographs(4), explain=False)
    with tempfile.TemporaryDirectory() as logs, serve(Path(logs) / "server.log", None) as server:
        server.wait_for_answer("/explain", asked[0].sample.data, asked[0].sample.media_type, 120)  # torch is imported
        statuses, replies, probes_ms = run(attacked(str(server.client.base_url), files, asked))
    for file, status in zip(files, statuses, strict=True):
        typer.echo(f"{file.name}: {status}")
    counted = Counter("wrong" if reply.wrong else str(reply.status) for reply in replies)
    p99, most = np.percentile(probes_ms, [99, 100])
    typer.echo(f"clients: {dict(counted)}; /livez {len(probes_ms)} times, p99 {p99:.0f} ms, max {most:.0f} ms")
    kept = set(statuses) == {422} and set(counted) == {"200"} and p99 <= P99_MS and most <= MOST_MS
    raise typer.Exit(0 if kept else 1)


async def attacked(
    url: str, files: Sequence[Path], asked: Sequence[GoldenRequest]
) -> tuple[list[int], list[Reply], list[float]]:
    """The statuses of the files, the clients' replies, and the milliseconds of each probe."""
    over = asyncio.Event()

    def going() -> bool:
        return not over.is_set()

    async def attack() -> list[int]:
        try:
            return [await _post(url, file.read_bytes()) for file in files]
        finally:
            over.set()

    statuses, replies, probes_ms = await asyncio.gather(
        attack(), closed_loop(url, asked, CLIENTS, going), _probe(url, going)
    )
    return statuses, replies, probes_ms


async def _post(url: str, data: bytes) -> int:
    headers = {"Content-Type": "application/dicom"}
    async with aiohttp.ClientSession(url) as session, session.post("/classify", data=data, headers=headers) as response:
        await response.read()
        return response.status


async def _probe(url: str, going: Callable[[], bool]) -> list[float]:
    times_ms = []
    async with aiohttp.ClientSession(url) as session:
        while going():
            begun = time.perf_counter()
            async with session.get("/livez") as response:
                await response.read()
            times_ms.append((time.perf_counter() - begun) * 1000)
            await asyncio.sleep(PROBE_S)
    return times_ms


if __name__ == "__main__":
    typer.run(main)
