"""Throughput over HTTP on a GPU: images per second of several service processes, with the load generator.

Each process is the API that `bentoml serve` runs, without its explainer, on its own loopback port: like replicas behind
a proxy, without the proxy. The clients are processes too and share the machine's cores. Each keeps some connections
busy with `POST /v1/classify`, builds each request only once, and reads only as much of an answer as it needs to count
it.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from pathlib import Path
from threading import Barrier
from typing import Any, Final

from scripts.forms import FORM, form
from scripts.waiting import wait_until_answering

REPOSITORY: Final = Path(__file__).parents[2]
START_S: Final = 150
WARM_UP_S: Final = 2.0


def measure(
    bundle: Path, files: Sequence[bytes], servers: int, clients: int, connections: int, seconds: float, **settings: int
) -> dict[str, Any]:
    """Images per second of `servers` processes under `clients` processes, each with `connections` per server.

    Args:
        bundle: the served bundle.
        files: the files of one request.
        servers: number of API processes.
        clients: number of client processes.
        connections: requests that one client keeps in flight at one server.
        seconds: measured after a warm-up.
        settings: CXR_* settings of the servers, in lower case.
    """
    begun = time.monotonic()
    with ExitStack() as stack:
        ports = [stack.enter_context(_server(bundle, settings)) for _ in range(servers)]
        for port, process, log in ports:
            wait_until_answering(f"http://127.0.0.1:{port}/readyz", process, START_S, log)
        started_s = time.monotonic() - begun
        context, request = get_context("spawn"), _request(files)
        with context.Manager() as manager, ProcessPoolExecutor(clients, mp_context=context) as pool:
            together = manager.Barrier(clients, timeout=START_S)
            jobs = [
                pool.submit(_client, [port for port, *_ in ports], connections, request, together, seconds)
                for _ in range(clients)
            ]
            tallies = [job.result() for job in jobs]
        return _sum(tallies, seconds) | {"servers": servers, "clients": clients, "start_s": round(started_s, 1)}


def _sum(tallies: Sequence[dict[str, Any]], seconds: float) -> dict[str, Any]:
    latencies = sorted(latency for tally in tallies for latency in tally["latencies_ms"])
    images, errors = (sum(tally[key] for tally in tallies) for key in ("images", "errors"))
    return {
        "images_per_second": round(images / seconds, 1),
        "errors": errors,
        "cores_of_clients": round(sum(tally["cores"] for tally in tallies), 2),
        "request_ms": {f"p{p}": round(latencies[len(latencies) * p // 100], 1) for p in (50, 95, 99) if latencies},
    }


@contextmanager
def _server(bundle: Path, settings: dict[str, int]) -> Iterator[tuple[int, "subprocess.Popen[bytes]", Path]]:
    """Start an API process: (port, process, log). It is not ready yet."""
    with tempfile.TemporaryDirectory(prefix="cxr-") as scratch, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1024)
        listener.set_inheritable(True)
        arguments = ["service.bento.api:Api", "--fd", str(listener.fileno()), "--service-name", "deepcovidexplainer"]
        environment = {
            **os.environ,
            **{f"CXR_{name.upper()}": str(value) for name, value in settings.items()},
            "CXR_BUNDLE": str(bundle),
            "BENTOML_HOME": scratch,
            "BENTOML_DO_NOT_TRACK": "True",
            "BENTOML_RUNNER_MAP": json.dumps({"explainer": "http://127.0.0.1:9"}),  # no requests yet
            "OMP_NUM_THREADS": "1",
        }
        log = Path(scratch) / "log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "_bentoml_impl.worker.service", *arguments],
                cwd=REPOSITORY,
                env=environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                pass_fds=(listener.fileno(),),
            )
        try:
            yield listener.getsockname()[1], process, log
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _request(files: Sequence[bytes]) -> bytes:
    body = form(files)
    head = (
        f"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _client(
    ports: Sequence[int], connections: int, request: bytes, together: Barrier, seconds: float
) -> dict[str, Any]:
    """A client process. Returns its count in the seconds after the warm-up, which all clients begin together."""
    tally: dict[str, Any] = {"images": 0, "errors": 0, "latencies_ms": []}
    together.wait()
    begin = time.time() + WARM_UP_S
    end = begin + seconds

    async def everybody() -> None:
        await asyncio.gather(*(_ask(port, request, tally, begin, end) for port in ports for _ in range(connections)))

    before = time.process_time()
    asyncio.run(everybody())
    return tally | {"cores": (time.process_time() - before) / (WARM_UP_S + seconds)}


async def _ask(port: int, request: bytes, tally: dict[str, Any], begin: float, end: float) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
    while time.time() < end:
        start = time.time()
        writer.write(request)
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        body = await reader.readexactly(int(length.split(b":")[1]))
        now = time.time()
        if begin <= now < end:
            answered = body.count(b'"prediction":')
            tally["images"] += answered
            tally["errors"] += body.count(b'"error":')
            tally["latencies_ms"].append((now - start) * 1000)
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            await asyncio.sleep(0.05)
    writer.close()
