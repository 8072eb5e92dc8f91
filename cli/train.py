"""`cxr train`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.output import DataPath, failing_cleanly


def train(
    run: Annotated[Path, typer.Argument(help="Folder of the run; an interrupted run in it goes on.")],
    preset: Annotated[Literal["default", "plain", "quick"], typer.Option(help="Named set of knobs.")] = "default",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Change a knob: mixup=0.2, augmentation.flip=0, seed=1.")
    ] = None,
    data: DataPath = None,
) -> None:
    """Train a network from scratch, with a snapshot at the bottom of each cycle of the learning rate."""
    from training.config import PRESETS, override
    from training.data import DEFAULT_DATA, load, table_sha256
    from training.train import train as fit

    try:
        config = override(PRESETS[preset](), settings or [])
    except (ValueError, TypeError) as error:
        raise typer.BadParameter(str(error)) from None
    with failing_cleanly():
        folder = data or DEFAULT_DATA
        learnt = load(folder, "train", config.recipe, config.size)
        validation = load(folder, "val", config.recipe, config.size)
        fit(config, learnt, validation, table_sha256(folder), run)
    typer.echo(f"Written: {run}, see learning-curve.png there.")
