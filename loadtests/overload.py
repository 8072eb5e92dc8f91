"""Overload: goodput, fast refusals, and the time to recover.

    python -m loadtests.overload

Capacity is the throughput of a closed loop of eight clients. Then requests arrive at two and at five times that rate,
independent of the answers.
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from loadtests import tables
from loadtests.clients import Reply, closed_loop, lasting, milliseconds, poisson, run
from loadtests.golden import GoldenRequest, golden_requests
from loadtests.samples import radiographs
from scripts.server import serve

CLIENTS: Final = 8
FACTORS: Final = (2.0, 5.0)
AFTERWARDS_S: Final = 10.0
REJECT_MS: Final = 100.0
GOODPUT: Final = 0.9
NORMAL: Final = 2.0  # a request is slow if it takes this many times the 95th percentile without load
WITHIN_S: Final = 5.0


@dataclass(frozen=True)
class Calm:
    """A server without overload: answers per second of `CLIENTS` clients, and the 95th percentile of a single one."""

    per_second: float
    usual_ms: float


@dataclass(frozen=True)
class Storm:
    """The results at `factor` times the capacity."""

    factor: float
    seconds: float
    replies: list[Reply]
    afterwards: list[Reply]
    calm: Calm

    @property
    def goodput(self) -> float:
        """Right answers per second, as a share of capacity."""
        return sum(reply.right for reply in self.replies) / self.seconds / self.calm.per_second

    @property
    def refused(self) -> list[Reply]:
        return [reply for reply in self.replies if reply.refused]

    @property
    def faults(self) -> list[Reply]:
        """Answers that are neither right nor a refusal for lack of capacity or time."""
        return [reply for reply in self.replies if not (reply.right or reply.refused)]

    @property
    def recovery_s(self) -> float:
        """Seconds from the last arrival to the end of the last refused or slow answer."""
        end = max(reply.begun for reply in self.replies)
        slow = [r for r in self.afterwards if not r.right or r.seconds * 1000 > NORMAL * self.calm.usual_ms]
        return max((reply.begun + reply.seconds - end for reply in slow), default=0.0)

    def missed(self) -> list[str]:
        """The goals that were missed."""
        slowest = milliseconds(self.refused, 99)[0] if self.refused else 0.0
        goals = {
            f"goodput {self.goodput:.2f} of capacity": self.goodput >= GOODPUT,
            f"99 % of refusals within {slowest:.0f} ms": slowest <= REJECT_MS,
            f"{len(self.faults)} faults": not self.faults,
            f"normal after {self.recovery_s:.1f} s": self.recovery_s <= WITHIN_S,
        }
        return [f"{self.factor:g} ×: {what}" for what, reached in goals.items() if not reached]

    def row(self) -> tuple[object, ...]:
        refused = self.refused
        waits = [f"{ms:.0f}" for ms in milliseconds(refused, 50, 99, 100)] if refused else ["-"] * 3
        answered = milliseconds([reply for reply in self.replies if reply.right], 50, 99)
        return (
            f"{self.factor:g} ×",
            f"{len(self.replies) / self.seconds:.1f}",
            f"{self.goodput:.3f}",
            " / ".join(f"{ms:.0f}" for ms in answered),
            f"{len(refused) / len(self.replies):.1%}",
            " / ".join(waits),
            sum(reply.failed for reply in self.replies),
            sum(reply.lost for reply in self.replies),
            sum(reply.wrong for reply in self.replies),
            f"{self.recovery_s:.1f}",
        )


HEAD: Final = (
    "load",
    "arrivals/s",
    "goodput ÷ capacity",
    "answers, ms: p50 / p99",
    "refused",
    "refusals, ms: p50 / p99 / max",
    "other 5xx",
    "lost",
    "wrong",
    "normal again after, s",
)


def calm(url: str, asked: Sequence[GoldenRequest], seconds: float) -> Calm:
    """Measure the capacity, and the latency of a single client."""
    many = run(closed_loop(url, asked, CLIENTS, lasting(seconds)))
    one = run(closed_loop(url, asked, 1, lasting(seconds / 2)))
    begin, end = min(r.begun for r in many), max(r.begun + r.seconds for r in many)
    return Calm(sum(reply.right for reply in many) / (end - begin), milliseconds(one, 95)[0])


def storm(url: str, asked: Sequence[GoldenRequest], factor: float, seconds: float, before: Calm) -> Storm:
    """Send arrivals at a multiple of the capacity, then requests of a single client."""
    replies = run(poisson(url, asked, factor * before.per_second, lasting(seconds)))
    afterwards = run(closed_loop(url, asked, 1, lasting(AFTERWARDS_S)))
    return Storm(factor, seconds, replies, afterwards, before)


def command(
    seconds: Annotated[float, typer.Option(help="Duration of each load.")] = 60,
    write: Annotated[bool, typer.Option(help="Put the table into docs/reliability.md.")] = False,
) -> None:
    """Load the service with two and five times its capacity."""
    asked = [q for q in golden_requests(radiographs(32), explain=False) if q.sample.media_type == "image/jpeg"]
    with tempfile.TemporaryDirectory() as logs, serve(Path(logs) / "log", None) as server:
        url = str(server.client.base_url)
        before = calm(url, asked, seconds=20)
        storms = []
        for factor in FACTORS:
            storms.append(storm(url, asked, factor, seconds, before))
            time.sleep(2)
    missed = [goal for one in storms for goal in one.missed()]
    text = tables.table(HEAD, [one.row() for one in storms]) + (
        f"\n\nCapacity {before.per_second:.1f} answers/s ({CLIENTS} clients in a closed loop, stored JPEGs); the "
        f"clients share the machine: {tables.machine()}. `python -m loadtests.overload --seconds {seconds:g}`. "
        f"Goals missed: {'; '.join(missed) or 'none'}."
    )
    tables.publish(tables.RELIABILITY, "overload", text, write)
    raise typer.Exit(bool(missed))


if __name__ == "__main__":
    typer.run(command)
