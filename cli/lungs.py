"""`cxr lungs`."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import DataPath, failing_cleanly, out
from cxr.model.bundle import Bundle

if TYPE_CHECKING:
    from cxr.model.posterior import Floats

HELD_OUT = ("val", "test")


def lungs(
    bundle: Annotated[Path, typer.Argument(help="Folder of the model that gets the segmenter.", show_default=False)],
    data: DataPath = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training masks; fixed beforehand.")] = 100,
    seed: Annotated[int, typer.Option(help="All chance comes from it.")] = 0,
) -> None:
    """Train the lung segmenter on the data's masks and put it into a bundle; `cxr export` then makes its graph."""
    from evaluation.bootstrap import bootstrap
    from study.segmenter import install
    from training.data import DEFAULT_DATA
    from training.lung_segmenter import RECIPE, SIZE, dice, train_segmenter
    from training.masked_images import load_masked

    with failing_cleanly():
        target, folder = Bundle(bundle), data or DEFAULT_DATA
        network = train_segmenter(load_masked(folder, ("train",), RECIPE, SIZE), epochs, seed)
        held_out = load_masked(folder, HELD_OUT, RECIPE, SIZE)
        install(target, network)
    agreement = dice(network, held_out)
    for maker in sorted({outline.maker for outline in held_out.outlines}):
        chosen = [index for index, outline in enumerate(held_out.outlines) if outline.maker == maker]
        found, patients = agreement[chosen], [held_out.outlines[index].patient for index in chosen]
        low, high = bootstrap(partial(_mean, found), patients)["dice"]
        out.print(
            f"Dice with {len(found)} held-out masks of {len(set(patients))} patients by {maker}: "
            f"mean {found.mean():.3f} [{low:.3f}, {high:.3f}], smallest {found.min():.3f}."
        )


def _mean(values: "Floats", weights: "Floats") -> "dict[str, Floats]":
    return {"dice": weights @ values / weights.sum(axis=1)}
