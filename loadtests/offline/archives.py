"""Measure `cxr batch` on an archive of mixed files, 1 % of them bad, relative to the capacity of its cores.

    python -m loadtests.offline.archives --files 20000

There are two references, of processes that only classify such files in sequence, without their start-up time, measured
before and after each engine's run: one process while the other cores rest, and one process on each core at once, which
shows what cores cost each other (caches, memory, tiles). An engine's time includes its start and end. Every row is
checked: all good files are answered, all bad ones have an error, and none is missing or duplicated.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated, Final, get_args

import numpy as np
import typer
from pyarrow import parquet

from archive.output import Engine
from cxr.cpu_count import usable_cores
from loadtests import tables
from loadtests.samples import Sample, bad_ones, radiographs

IMAGES: Final = 16
SHARES: Final = {"image/jpeg": 8, "image/png": 1, "application/dicom": 1}  # of ten files
BAD_ONE_IN: Final = 100
YARDSTICK: Final = (
    "import sys, time; from pathlib import Path; from archive.rows import row\n"
    "from cxr.model.bundle import DEFAULT_BUNDLE, Bundle; from cxr.pipeline import Classifier\n"
    "classify = Classifier(Bundle(DEFAULT_BUNDLE), threads=1, at_once=1).classify\n"
    "paths = Path(sys.argv[1]).read_text().splitlines()\n"
    "[row(classify, path) for path in paths[:20]]; start = time.perf_counter()\n"
    "[row(classify, path) for path in paths]; print(len(paths) / (time.perf_counter() - start))"
)


def archive(folder: Path, count: int) -> list[str]:
    """Create `count` names for a few files, in the proportions of a hospital. Returns the paths."""
    samples = radiographs(IMAGES)
    kinds = {media: cycle(_stored(folder, samples, media)) for media in SHARES}
    bad = cycle(_stored(folder, [one.sample for one in bad_ones(samples) if one.status == 422], None))
    turn = cycle([media for media, share in SHARES.items() for _ in range(share)])
    paths = []
    for number, media in enumerate(islice(turn, count)):
        path = folder / f"{number:06}{'.bad' if number % BAD_ONE_IN == 0 else ''}"
        path.symlink_to(next(bad if number % BAD_ONE_IN == 0 else kinds[media]))
        paths.append(str(path))
    return paths


def _stored(folder: Path, samples: list[Sample], media: str | None) -> Iterator[Path]:
    """Write each sample once, as a hidden file."""
    for number, sample in enumerate(one for one in samples if media in (None, one.media_type)):
        path = folder / f".{(media or 'bad').replace('/', '-')}-{number}"
        path.write_bytes(sample.data)
        yield path


def pinned(paths: list[str], scratch: Path, cores: Sequence[int]) -> float:
    """Files per second of one process on each of these cores, all together."""
    listed = scratch / "few"
    listed.write_text("\n".join(paths))
    commands = [["taskset", "-c", str(core), sys.executable, "-c", YARDSTICK, str(listed)] for core in cores]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    return sum(float(process.communicate()[0]) for process in started)


def references(paths: list[str], scratch: Path) -> tuple[float, float]:
    """Files per second of one core while the others rest, and of all cores at once."""
    cores = sorted(os.sched_getaffinity(0))[: usable_cores()]
    return pinned(paths, scratch, cores[:1]), pinned(paths, scratch, cores)


def engine_rate(engine: Engine, folder: Path, paths: list[str], output: Path) -> float:
    """Files per second of the command, from its call to its end. Raises ValueError if a row is wrong."""
    command = [sys.executable, "-c", "from cli import app; app()", "batch", str(folder), "-o", str(output)]
    start = time.perf_counter()
    subprocess.run([*command, "--engine", engine], check=True)
    seconds = time.perf_counter() - start
    rows = {row["path"]: row["error"] for row in parquet.read_table(output, columns=["path", "error"]).to_pylist()}
    if set(rows) != set(paths) or any((error is not None) != path.endswith(".bad") for path, error in rows.items()):
        raise ValueError(f"rows of {engine} are missing or wrong")
    return len(paths) / seconds


def main(
    files: Annotated[int, typer.Option(min=100, help="Number of files.")] = 20_000,
    engine: Annotated[Engine | None, typer.Option(help="Engines to measure; by default both.")] = None,
    write: Annotated[bool, typer.Option(help="Put the table into docs/performance.md.")] = False,
) -> None:
    """Measure the engines and print a table."""
    cores, lines = usable_cores(), []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "archive"
        folder.mkdir()
        paths = archive(folder, files)
        few = paths[: max(100, files // 20)]
        for one in (engine,) if engine else get_args(Engine):
            before = references(few, Path(scratch))
            rate = engine_rate(one, folder, paths, Path(scratch) / f"{one}.parquet")
            single, together = np.mean([before, references(few, Path(scratch))], axis=0)
            hours = cores * 1e6 / rate / 3600
            lines.append(
                (
                    *(one, f"{rate:.1f}", f"{single:.1f}", f"{rate / (cores * single):.2f}"),
                    *(f"{together:.1f}", f"{rate / together:.2f}", f"{hours:.1f}", f"{hours * 100 / 24:.0f}"),
                )
            )
    head = (
        *("engine", "files/s, start included", "one core, files/s", f"÷ {cores} × one core"),
        *("all cores at once, files/s", "÷ all at once", "core hours for a million", "core days for 10⁸"),
    )
    text = (
        f"{tables.table(head, lines)}\n\n{files} files, all rows right. {tables.machine()}. "
        f"{tables.command('loadtests.offline.archives')}"
    )
    tables.publish(tables.PERFORMANCE, "archives", text, write)


if __name__ == "__main__":
    typer.run(main)
