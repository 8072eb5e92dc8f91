"""Markdown tables, written into a document between two markers."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markdown import Markdown

PERFORMANCE: Final = Path("docs/performance.md")
RELIABILITY: Final = Path("docs/reliability.md")


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def publish(document: Path, name: str, text: str, write: bool) -> None:
    """Print a text, and optionally write it into a document."""
    Console(width=160).print(Markdown(text))
    if write:
        replace(document, name, text)


def replace(document: Path, name: str, text: str) -> None:
    """Write a text between `<!-- NAME -->` and `<!-- /NAME -->`. Raises ValueError without these markers."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, found, rest = document.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{document} has no place for {name}")
    document.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def command(module: str) -> str:
    """The command that runs this process, in Markdown, for the line under a table. `module`: its name."""
    return f"`{' '.join([f'python -m {module}', *sys.argv[1:]])}`"


def machine() -> str:
    """A description of this machine, for the line under a table.

    It says if Python keeps no bytecode: then every process compiles what it imports, and starts take twice as long.
    """
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
    compiling = ", PYTHONDONTWRITEBYTECODE set" if sys.dont_write_bytecode else ""
    return f"{len(os.sched_getaffinity(0))} cores of an {model}{compiling}"
