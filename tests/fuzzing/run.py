"""Decode many damaged files with the service's own `decode`, and classify the outcomes."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

from cxr.decode import decode
from cxr.decode.sandbox import wire
from cxr.decode.sandbox.pool import decoders
from cxr.errors import CxrError, DecoderUnavailable, Refusal
from tests.fuzzing import dicom, pictures

MUTATORS: Final[dict[str, Callable[[random.Random], bytes]]] = {
    "dicom": dicom.dicom,
    "png": pictures.png,
    "jpeg": pictures.jpeg,
}
GRACE_S: Final = 0.5


@dataclass
class Report:
    """outcomes: the number of each. wrong: index and outcome of files that broke a rule; `file` makes one again."""

    seed: int
    outcomes: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in MUTATORS})
    wrong: list[tuple[int, str]] = field(default_factory=list)
    slowest_s: dict[str, float] = field(default_factory=lambda: dict.fromkeys(MUTATORS, 0.0))

    def __str__(self) -> str:
        lines = [f"seed {self.seed}"]
        for name, outcomes in self.outcomes.items():
            lines.append(f"{name}: {outcomes.total()} files, slowest {self.slowest_s[name]:.2f} s")
            lines += [f"  {number:7d} {outcome}" for outcome, number in outcomes.most_common()]
        return "\n".join([*lines, f"promises broken: {self.wrong or 'none'}"])


def file(seed: int, number: int) -> tuple[str, bytes]:
    """The format and bytes of one file of a run."""
    name = list(MUTATORS)[number % len(MUTATORS)]
    return name, MUTATORS[name](random.Random(f"{seed}/{number}"))


def fuzz(seed: int, files: int | None = None, seconds: float | None = None) -> Report:
    """Decode this many damaged files, or for this long; as many at once as there are decoders.

    A refusal is right. Any other exception, or a refusal after the deadline, is wrong.
    """
    report, numbers, lock = Report(seed), count(), threading.Lock()
    decoders().warm()
    end = time.monotonic() + (seconds or float("inf"))

    def work() -> None:
        while time.monotonic() < end:
            number = next(numbers)
            if files is not None and number >= files:
                return
            name, data = file(seed, number)
            outcome, took = _outcome(data)
            with lock:
                report.outcomes[name][outcome] += 1
                report.slowest_s[name] = max(report.slowest_s[name], took)
                if outcome.startswith("!"):
                    report.wrong.append((number, outcome))

    with ThreadPoolExecutor(decoders().size) as pool:
        for done in [pool.submit(work) for _ in range(decoders().size)]:
            done.result()
    return report


def _outcome(data: bytes) -> tuple[str, float]:
    """The outcome of a file, with a mark before it if it is wrong, and the seconds in its decoder."""
    start = time.monotonic()
    try:
        decode(data)
        outcome = "decoded"
    except Refusal as refusal:
        outcome = type(refusal).__name__
    except DecoderUnavailable:
        outcome = "!DecoderUnavailable"
    except CxrError as error:
        outcome = f"!{type(error).__name__}"
    except BaseException as error:
        outcome = f"!{type(error).__qualname__}"
    took = time.monotonic() - start
    return (f"!{outcome} after {took:.1f} s" if took > wire.DEADLINE_S + GRACE_S else outcome), took


def peaks_mb(seed: int, files: int) -> dict[str, float]:
    """For each format, the largest growth of this process in MiB during one file, decoded one after the other."""
    decoders().warm()
    peaks = dict.fromkeys(MUTATORS, 0.0)
    for number in range(files):
        name, data = file(seed, number)
        Path("/proc/self/clear_refs").write_text("5")  # reset the peak (proc(5))
        before = _status_mb("VmRSS")
        _outcome(data)
        peaks[name] = max(peaks[name], _status_mb("VmHWM") - before)
    return peaks


def _status_mb(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) / 1024
