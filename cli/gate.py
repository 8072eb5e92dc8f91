"""`cxr gate` and `cxr hashes`: add to a bundle the gate and the hashes of its training images."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cli.output import DataPath, failing_cleanly, out
from cxr.model.bundle import Bundle

TargetPath = Annotated[Path, typer.Argument(help="Folder of the model to add it to.", show_default=False)]


def gate(
    bundle: TargetPath,
    data: DataPath = None,
    seed: Annotated[int, typer.Option(help="Seed of all random generators.")] = 0,
) -> None:
    """Train the gate to tell the data's radiographs from other images, and put it into a bundle.

    Its cross-fitted figures go into the bundle's evaluation.json. Run `cxr export` afterwards to make its graph. This
    trains fourteen small networks: about ten minutes on two cores.
    """
    from evaluation.evaluation_file import BundleEvaluation
    from study.gate import examples_of, install, study_gate
    from training.data import DEFAULT_DATA

    with failing_cleanly():
        target, folder = Bundle(bundle), data or DEFAULT_DATA
        rows, examples = examples_of(target, folder, seed)
        found = study_gate(rows, examples, folder, seed)
        install(target, found)
        replace(BundleEvaluation.read(Bundle(bundle)), gate=found.checks).write()
    table = Table(title=f"gate, threshold {found.threshold:.3f}")
    for title in ("images of", "", "number", "figures"):
        table.add_column(title)
    for check in found.checks:
        figures = ", ".join(f"{name} {figure}" for name, figure in check.figures.items())
        table.add_row(check.of, check.name, f"{check.images:,}", figures)
    out.print(table)
    typer.echo(f"Next: cxr export {bundle}, then cxr report --bundle {bundle}")


def hashes(bundle: TargetPath, data: DataPath = None) -> None:
    """Put hashes of the data's training and validation images into a bundle, so that `cxr site` can detect copies.

    `cxr release` does this already.
    """
    from study.site.copies import install_hashes
    from training.data import DEFAULT_DATA

    with failing_cleanly():
        install_hashes(Bundle(bundle), data or DEFAULT_DATA)
    typer.echo(f"Written: {bundle}")
