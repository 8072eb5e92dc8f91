"""`cxr lungs`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.output import DataPath, failing_cleanly, out
from cxr.model.bundle import Bundle

HELD_OUT = ("val", "test")


def lungs(
    bundle: Annotated[Path, typer.Argument(help="Folder of the model that gets the segmenter.", show_default=False)],
    data: DataPath = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training masks; fixed beforehand.")] = 150,
    seed: Annotated[int, typer.Option(help="All chance comes from it.")] = 0,
) -> None:
    """Train the lung segmenter on the data's masks and put it into a bundle; `cxr export` then makes its graph."""
    from evaluation import metrics
    from evaluation.bootstrap import Resampling
    from study.segmenter import install
    from training.data import DEFAULT_DATA
    from training.lung_segmenter import dice, load_masked, train_segmenter

    with failing_cleanly():
        target, folder = Bundle(bundle), data or DEFAULT_DATA
        network = train_segmenter(load_masked(folder, ("train",)), epochs, seed)
        held_out = load_masked(folder, HELD_OUT)
        install(target, network)
    agreement, resampling = dice(network, held_out), Resampling([row.patient for row in held_out.rows])
    mean = resampling.measure(lambda weights: {"dice": metrics.mean(agreement, weights)})["dice"]
    out.print(
        f"Dice with {len(agreement)} held-out masks of {resampling.patients} patients: "
        f"mean {mean}, smallest {agreement.min():.3f}.\n"
        "The masks are another segmenter's output on one source: this is agreement with it, not accuracy."
    )
