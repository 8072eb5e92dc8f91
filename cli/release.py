"""`cxr release`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.output import DataPath, failing_cleanly


def release(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the bundle to write.")],
    cycle: Annotated[int | None, typer.Option(help="Snapshot; by default the last.", show_default=False)] = None,
    version: Annotated[str, typer.Option(help="Version of the bundle.")] = "1",
    data: DataPath = None,
) -> None:
    """Make a bundle of a run's snapshot: store, export and calibrate it."""
    from training.data import DEFAULT_DATA, load
    from training.release import release as make
    from training.rundir import RunDir

    with failing_cleanly():
        source = RunDir(run)
        config = source.config
        validation = load(data or DEFAULT_DATA, "val", config.recipe, config.size)
        make(source, cycle or config.cycles, validation, output.name, version, output)
    typer.echo(f"Written: {output}. Next: cxr evaluate --bundle {output}")
