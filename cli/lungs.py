"""`cxr lungs`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cli.output import DataPath, failing_cleanly, out
from cxr.arrays import Floats
from cxr.model.bundle import Bundle

HELD_OUT = ("val", "test")


def lungs(
    bundle: Annotated[Path, typer.Argument(help="Folder of the model to add the segmenter to.", show_default=False)],
    data: DataPath = None,
    epochs: Annotated[
        int, typer.Option(min=1, help="Passes over the training masks; choose the number beforehand.")
    ] = 100,
    seed: Annotated[int, typer.Option(help="Seed of all random generators.")] = 0,
) -> None:
    """Train the lung segmenter on the data's masks and put it into a bundle. Run `cxr export` afterwards."""
    from evaluation.bootstrap import Resampling
    from study.segmenter import install
    from training.data import DEFAULT_DATA
    from training.lungs.masked_images import load_masked
    from training.lungs.segmenter import RECIPE, SIZE, dice, train_segmenter

    with failing_cleanly():
        target, folder = Bundle(bundle), data or DEFAULT_DATA
        network = train_segmenter(load_masked(folder, ("train",), RECIPE, SIZE), epochs, seed)
        held_out = load_masked(folder, HELD_OUT, RECIPE, SIZE)
        install(target, network)
    agreement = dice(network, held_out)
    for maker in sorted({outline.maker for outline in held_out.outlines}):
        chosen = [index for index, outline in enumerate(held_out.outlines) if outline.maker == maker]
        found = agreement[chosen]
        resampling = Resampling([held_out.outlines[index].patient for index in chosen])
        mean = resampling.measure(partial(_mean_dice, found))["dice"]
        out.print(
            f"Dice with {len(found)} held-out masks of {resampling.patients} patients by {maker}: "
            f"mean {mean}, smallest {found.min():.3f}."
        )


def _mean_dice(values: Floats, weights: Floats) -> dict[str, Floats]:
    return {"dice": values @ weights.T / weights.sum(axis=1)}
