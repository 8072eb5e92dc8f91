"""How long the console commands take for one file, each as the first thing that its process does.

    python -m loadtests.offline.startup --write

The file is RG1 of pydicom-data. Every round runs each command once, in random order. `import torch` alone is what no
explanation can be faster than.
"""

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from rich.console import Console
from rich.progress import track

from loadtests import tables
from loadtests.paired import median
from loadtests.samples import real_radiograph
from scripts.server import REPOSITORY

BARE: Final = "import torch"
CXR: Final = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); from cli import main; main()"

Seconds = Mapping[str, Sequence[float]]
"""By command, one duration per round."""


def commands(file: Path) -> dict[str, list[str]]:
    """The measured commands by the name they have in the table."""
    python = [sys.executable, "-c"]
    return {
        BARE: [*python, BARE],
        "cxr classify FILE": [*python, CXR, "classify", str(file)],
        "cxr explain FILE": [*python, CXR, "explain", str(file)],
    }


def measure(rounds: int) -> Seconds:
    """Seconds from a command's start to its end. Raises CalledProcessError if one fails."""
    order = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:  # where pictures are written
        file = Path(folder) / "RG1.dcm"
        file.write_bytes(real_radiograph().data)
        measured: dict[str, list[float]] = {name: [] for name in commands(file)}
        for number in track(range(rounds + 1), "rounds", console=Console(stderr=True)):
            for name, command in order.sample(list(commands(file).items()), len(measured)):
                begin = time.perf_counter()
                subprocess.run(command, cwd=folder, check=True, capture_output=True)
                if number:  # the first round fills the page cache
                    measured[name].append(time.perf_counter() - begin)
    return measured


def result(measured: Seconds) -> str:
    """The table: medians, and the median difference to a bare import with its 95 % bootstrap interval."""
    rows = []
    for name, seconds in measured.items():
        middle, low, high = median(np.subtract(seconds, measured[BARE]).tolist())
        text = "" if name == BARE else f"{middle:+.2f} [{low:+.2f}, {high:+.2f}]"
        rows.append((f"`{name}`", f"{np.median(seconds):.2f}", text))
    return tables.table(("command", "seconds, median", "more than `import torch` [95 % interval]"), rows)


def main(
    rounds: Annotated[int, typer.Option(help="How often each command runs.")] = 15,
    write: Annotated[bool, typer.Option(help="Put the table into docs/performance.md.")] = False,
) -> None:
    """Measure the commands by turns, and print a table."""
    text = (
        f"{result(measure(rounds))}\n\nRG1 as DICOM, {rounds} rounds. {tables.machine()}. "
        f"{tables.command('loadtests.offline.startup')}"
    )
    tables.publish(tables.PERFORMANCE, "startup", text, write)


if __name__ == "__main__":
    typer.run(main)
