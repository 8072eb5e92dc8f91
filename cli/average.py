"""`cxr average`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.output import DataPath, err, failing_cleanly


def average(
    run: Annotated[Path, typer.Argument(help="Folder of a run that kept the weights of its snapshots.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the run to write.")],
    last: Annotated[int, typer.Option(min=2, help="Number of last snapshots to average.")] = 3,
    data: DataPath = None,
) -> None:
    """Average the weights of a run's last snapshots into a new run with one snapshot, which `cxr select` can choose."""
    from training.average import write_average
    from training.data import DEFAULT_DATA, held_out, load
    from training.rundir import RunDir

    with failing_cleanly():
        source = RunDir(run)
        config, folder = source.config, data or DEFAULT_DATA
        cycles = range(max(1, config.cycles - last + 1), config.cycles + 1)
        learnt = load(folder, "train", config.recipe, config.size)
        watched = held_out(folder, config.recipe, config.size)
        with err.status("recomputing BatchNorm's statistics"):
            write_average(source, cycles, learnt, watched, output)
    typer.echo(f"Written: {output}, the average of cycles {cycles[0]} to {cycles[-1]}.")
