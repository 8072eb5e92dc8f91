"""`cxr train`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.output import DataPath, failing_cleanly
from cli.prepare import data_of


def train(
    run: Annotated[Path, typer.Argument(help="Folder of the run; an interrupted run is resumed.")],
    preset: Annotated[
        Literal["default", "paper", "plain", "quick", "travel", "travel-full"],
        typer.Option(
            help="Named set of hyperparameters; travel and travel-full train the two members of one ensemble."
        ),
    ] = "default",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a hyperparameter: mixup=0.2, augmentation.flip=0; may be repeated."),
    ] = None,
    keep: Annotated[
        Literal["all", "last"],
        typer.Option(help="Snapshots whose weights to keep; the predictions of every snapshot are always kept."),
    ] = "all",
    minutes: Annotated[
        float | None,
        typer.Option(help="Do not start a cycle that would end after this many minutes.", show_default=False),
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            help="Lung masks of all images, for a frame that needs them; made by python -m training.lungs.mask_file."
        ),
    ] = None,
    data: DataPath = None,
) -> None:
    """Train a network from scratch, with a snapshot at the end of each cycle of the learning rate.

    If the data folder is not prepared, such as a folder with one subfolder of images per label, it is prepared into
    RUN/data first.
    On several GPUs: torchrun --nproc-per-node 2 .venv/bin/cxr train ...
    """
    from reporting.learning_curve import plot_learning_curve
    from training.config import PRESETS, override
    from training.data import held_out, load, table_sha256
    from training.loop import train as fit
    from training.lungs.mask_file import load_masks
    from training.opacities import framed, read_boxes
    from training.parallel import is_leader

    try:
        config = override(PRESETS[preset](), settings or [])
    except (ValueError, TypeError) as error:
        raise typer.BadParameter(str(error)) from None
    with failing_cleanly():
        folder = data_of(run, data)
        lungs = load_masks(masks) if masks else {}
        learnt = load(folder, "train", config.recipe, config.size, frame=config.frame, masks=lungs)
        watched = held_out(folder, config.recipe, config.size, frame=config.frame, masks=lungs)
        boxes = framed(read_boxes(folder), config.frame, lungs)
        seconds = float("inf") if minutes is None else 60 * minutes
        done = fit(config, learnt, watched, table_sha256(folder), run, keep, seconds, boxes, lungs)
    if is_leader() and done.complete_cycles():
        plot_learning_curve(done)
    typer.echo(f"Written: {run}, {done.complete_cycles()} of {config.cycles} cycles; see learning-curve.png there.")
