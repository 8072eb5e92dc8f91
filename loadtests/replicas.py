"""Kill -9 on two replicas behind nginx: nothing may be lost with one retry, which nginx makes.

    python -m loadtests.replicas

There are two cases: a single worker, whose supervisor keeps the socket and starts another; and a whole replica, like a
container, which is then started again.
"""

import random
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from signal import SIGKILL
from typing import Annotated, Final

import psutil
import typer
from rich.console import Console
from rich.progress import track

from loadtests import tables
from loadtests.chaos import CLIENTS, HEAD, Load, StrikeOutcome, strike
from loadtests.golden import GoldenRequest, golden_requests
from loadtests.samples import radiographs
from scripts.proxy import proxy
from scripts.server import Server, free_port, serve

WORKER: Final = "deepcovidexplainer"
WHOLE: Final = "whole replica"


def fell(
    url: str, asked: Sequence[GoldenRequest], log: Path, port: int, bundle: Path | None, times: int
) -> StrikeOutcome:
    """Kill a whole replica `times` times and restart it, while clients send to a proxy before it and another one."""
    chance = random.Random(0)
    blows: list[float] = []
    ends: list[float] = []
    back_s: list[float] = []
    with Load(url, asked) as load:
        for _ in track(range(times), WHOLE, console=Console(stderr=True)):
            with serve(log, bundle, port=port) as server:
                time.sleep(chance.uniform(2, 4))  # nginx retries the replica after 5 s
                if blows:
                    back_s.append(time.monotonic() - blows[-1])
                blows.append(time.monotonic())
                _kill(server)
                ends.append(time.monotonic())
        time.sleep(1)
    return StrikeOutcome(WHOLE, SIGKILL, blows, ends, back_s or [0.0], load.replies)


def unretried(outcome: StrikeOutcome) -> list[str]:
    """Violated requirements behind a proxy that retries once."""
    return outcome.faults() + ([f"{len(outcome.lost)} lost"] if outcome.lost else [])


def _kill(server: Server) -> None:
    supervisor = psutil.Process(server.process.pid)
    for process in [
        supervisor,
        *supervisor.children(recursive=True),
    ]:  # the supervisor first, because it would restart the workers
        process.kill()
    server.process.wait()


def command(
    times: Annotated[int, typer.Option(help="Kills of each kind.")] = 20,
    write: Annotated[bool, typer.Option(help="Put the table into docs/reliability.md.")] = False,
) -> None:
    """Kill workers and replicas behind nginx."""
    asked = golden_requests(radiographs(8), explain=True)
    png = next(request.sample.data for request in asked if request.sample.media_type == "image/png")
    ports = [free_port(), free_port()]
    with tempfile.TemporaryDirectory() as logs, proxy([f"127.0.0.1:{port}" for port in ports]) as url:
        with ExitStack() as both:
            servers = [both.enter_context(serve(Path(logs) / f"{port}", None, port=port)) for port in ports]
            for server in servers:
                server.wait_for_explainer(png)
            outcomes = [strike(servers, url, asked, WORKER, SIGKILL, times)]
        with serve(Path(logs) / "stays", None, port=ports[0]) as stays:
            stays.wait_for_explainer(png)
            outcomes.append(fell(url, asked, Path(logs) / "falls", ports[1], None, times))
    found = [fault for outcome in outcomes for fault in unretried(outcome)]
    clients = " and ".join(f"{count} of {route}" for route, count in CLIENTS.items())
    text = tables.table(HEAD, [outcome.row() for outcome in outcomes]) + (
        f"\n\n{clients} in closed loops, through nginx with `deploy/nginx.conf`, two replicas on "
        f"{tables.machine()}. `python -m loadtests.replicas --times {times}`. Faults: {'; '.join(found) or 'none'}."
    )
    tables.publish(tables.RELIABILITY, "replicas", text, write)
    raise typer.Exit(bool(found))


if __name__ == "__main__":
    typer.run(command)
