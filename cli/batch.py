"""`cxr batch`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from archive.output import Engine, Made, Output
from cli.output import BundlePath, complain, disclaim, err, failing_cleanly
from cxr.cpu_count import usable_cores
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle


def batch(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Files, folders, globs, @LIST (a text file of paths), or Parquet files with a column path.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for the result; an existing result is resumed.")
    ],
    engine: Annotated[Engine, typer.Option(help="This machine's processes, or Ray.")] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            help="Address of a Ray cluster; without it Ray starts on this machine, on loopback.", metavar="HOST:PORT"
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Number of processes; by default the number of usable cores.", show_default=False),
    ] = None,
    bundle: BundlePath = DEFAULT_BUNDLE,
) -> None:
    """Classify an archive into a folder of Parquet files: one row per file; refused files have an error code.

    If it was interrupted or killed, run the same command again to resume.
    """
    if address and engine != "ray":
        raise typer.BadParameter("needs --engine ray.", param_hint="--address")
    with failing_cleanly():
        begun = Output.begun(output, Made.by(Bundle(bundle), engine, sources), sources)
        done = begun.done()
        with _progress() as progress:
            task = progress.add_task("scoring", total=begun.rows, completed=done)
            for made in _scoring(begun, engine, bundle, workers or usable_cores(), address):
                progress.update(task, completed=done + made)
        counts = begun.errors()
    answered = counts.pop("", 0)
    typer.echo(f"{begun.rows} files: {answered} classified, {counts.total()} refused. Written: {output}")
    for code, count in counts.most_common():
        complain(f"{count} {code}")
    disclaim()


def _scoring(output: Output, engine: Engine, bundle: Path, workers: int, address: str | None) -> Iterator[int]:
    if engine == "ray":
        from archive.on_ray import score as score_on_ray

        return score_on_ray(output, bundle, workers, address)
    from archive.local import score

    return score(output, bundle, workers)


class _Rate(ProgressColumn):
    """Files per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.finished_speed or task.speed or 0:.1f}/s")


def _progress() -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn()
    return Progress(*columns, console=err)
