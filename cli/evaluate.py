"""`cxr evaluate`."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from cli.output import BundlePath, DataPath, err, failing_cleanly, out
from cxr.bundle import DEFAULT_BUNDLE, Bundle
from cxr.labels import LABELS

if TYPE_CHECKING:
    from training.evaluation import Evaluation


def evaluate(
    split: Annotated[Literal["val", "test"], typer.Option(help="Choose nothing by the test split.")] = "val",
    bundle: BundlePath = DEFAULT_BUNDLE,
    data: DataPath = None,
) -> None:
    """Measure a bundle on a split, with 95 % intervals, and write its evaluation.json and MODEL_CARD.md.

    On the validation split the ONNX graphs are compared with PyTorch as well.
    """
    from export.verify import verify
    from training.card import Findings
    from training.data import DEFAULT_DATA, half_of_validation, load, read_table, table_sha256
    from training.evaluate import evaluate as measure

    with failing_cleanly():
        loaded = Bundle(bundle)
        folder, recipe = data or DEFAULT_DATA, loaded.manifest.recipe
        images = load(folder, split, recipe.id, recipe.size)
        findings = Findings(loaded)
        rows = read_table(folder)
        train_rows = tuple(row for row in rows if row.split == "train")
        calibration_rows = tuple(row for row in rows if row.split == "val" and half_of_validation(row) == "calibrate")
        if table_sha256(folder) != loaded.manifest.training_manifest_sha256:
            calibration_rows = ()
        with err.status("resampling patients"):
            findings.splits[split] = measure(loaded, images, split, train_rows, calibration_rows)
        if split == "val":
            with err.status(f"comparing with PyTorch on {len(images.rows)} images"):
                findings.parity = verify(loaded, images.images, [row.file for row in images.rows])
        card = findings.write()
    out.print(_headline_table(findings.splits[split]))
    typer.echo(f"Written: {card}")


def _headline_table(found: "Evaluation") -> Table:
    table = Table(title=f"{found.bundle} {found.version} on {found.split}: {found.images} images")
    for title in ("figure", "value [95 % interval]"):
        table.add_column(title)
    by_label = [f"{label}_{figure}" for label in LABELS for figure in ("ppv", "recall", "f1")]
    for name in ("macro_f1", "accuracy", *by_label):
        table.add_row(name, str(found.figures[name]))
    return table
