"""Run Locust at the knee, and with Poisson arrivals at 0.8 of capacity: percentiles by endpoint and media type.

    python -m loadtests.bench

The knee is the smallest number of clients with at least 95 % of the highest throughput. Locust's CSV and HTML reports
are in build/locust.
"""

import csv
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from loadtests import mix, tables
from loadtests.clients import closed_loop, lasting, run
from loadtests.golden import AT_CAPACITY, GoldenRequest, golden_requests
from loadtests.samples import radiographs
from scripts.server import REPOSITORY, serve

CLIENTS: Final = (1, 2, 4, 8, 16)
ENOUGH: Final = 0.95
LOAD: Final = 0.8
REPORTS: Final = REPOSITORY / "build" / "locust"
PERCENTILES: Final = ("50%", "95%", "99%", "99.9%")


def knee(url: str, asked: Sequence[GoldenRequest], seconds: float) -> tuple[int, float]:
    """The smallest sufficient number of clients, and the highest throughput in right answers per second."""
    rates = {}
    for clients in CLIENTS:
        replies = run(closed_loop(url, asked, clients, lasting(seconds)))
        span = max(reply.begun + reply.seconds for reply in replies) - min(reply.begun for reply in replies)
        rates[clients] = sum(reply.right for reply in replies) / span
    most = max(rates.values())
    return min(clients for clients, rate in rates.items() if rate >= ENOUGH * most), most


def locust(url: str, name: str, minutes: float, *arguments: str) -> list[dict[str, str]]:
    """The rows of Locust's statistics. Raises RuntimeError unless its exit status is 0, or 1 for failures."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    report = REPORTS / name
    command = [sys.executable, "-m", "locust", "-f", "loadtests/locustfile.py", "--headless", "--host", url]
    options = ["--run-time", f"{minutes * 60:.0f}s", "--csv", str(report), "--html", f"{report}.html", "--only-summary"]
    options += ["--stop-timeout", "120"]  # wait for all requests that were sent
    done = subprocess.run([*command, *options, *arguments], cwd=REPOSITORY, check=False, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"locust failed:\n{done.stderr[-4000:]}")
    return with_refusals(_rows(Path(f"{report}_stats.csv")), _rows(Path(f"{report}_failures.csv")))


def with_refusals(statistics: list[dict[str, str]], failures: list[dict[str, str]]) -> list[dict[str, str]]:
    """Locust's statistics, with the number of each row's failures that were refusals as `Refused`."""
    refused: Counter[str] = Counter()
    for failure in failures:
        if AT_CAPACITY in failure["Error"]:
            refused.update({name: int(failure["Occurrences"]) for name in (failure["Name"], "Aggregated")})
    return [row | {"Refused": str(refused[row["Name"]])} for row in statistics]


def _rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as rows:
        return list(csv.DictReader(rows))


def errors(row: dict[str, str]) -> int:
    """Failures of a row that are no refusals."""
    return int(row["Failure Count"]) - int(row["Refused"])


def result(loads: dict[str, list[dict[str, str]]]) -> str:
    """One row for each load, endpoint and media type."""
    head = (
        "load",
        "endpoint",
        "media type",
        "requests",
        "per second",
        "refused",
        "errors",
        *(f"p{p[:-1]} ms" for p in PERCENTILES),
    )
    lines = []
    for load, rows in loads.items():
        for row in rows:
            route, _, media_type = row["Name"].partition(" ")
            numbers = (row["Request Count"], f"{float(row['Requests/s']):.2f}", row["Refused"], errors(row))
            lines.append((load, route, media_type, *numbers, *(row[p] for p in PERCENTILES)))
    return tables.table(head, lines)


def command(
    minutes: Annotated[float, typer.Option(help="Duration of each load.")] = 5,
    write: Annotated[bool, typer.Option(help="Put the table into docs/performance.md.")] = False,
) -> None:
    """Run Locust at the knee, and with Poisson arrivals."""
    asked = mix.draw(golden_requests(radiographs(32), explain=True))
    with tempfile.TemporaryDirectory() as logs, serve(Path(logs) / "log", None) as server:
        url = str(server.client.base_url)
        server.wait_for_explainer(next(q.sample.data for q in asked if q.sample.media_type == "image/png"))
        clients, most = knee(url, asked, seconds=20)
        users, rate = str(clients), f"{LOAD * most:.2f}"
        loads = {
            f"{users} clients": locust(url, "closed", minutes, "-u", users, "-r", users, "Client"),
            f"Poisson, {rate}/s": locust(url, "poisson", minutes, "--rate", rate, "Arrivals"),
        }
    text = result(loads) + (
        f"\n\n{clients} clients are the knee of {CLIENTS}; capacity {most:.1f} requests/s of the mix (a tenth "
        f"explanations, a fifth DICOM files of 7 MB). Refused: for lack of capacity, with 429 or 503. "
        f"Any other answer than the golden one is an error. The clients share the machine: {tables.machine()}. "
        f"`python -m loadtests.bench --minutes {minutes:g}`"
    )
    tables.publish(tables.PERFORMANCE, "locust", text, write)
    raise typer.Exit(any(errors(row) for rows in loads.values() for row in rows))


if __name__ == "__main__":
    typer.run(command)
