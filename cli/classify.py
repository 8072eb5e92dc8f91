"""`cxr classify`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import track
from rich.table import Table

from cli.output import BundlePath, complain, disclaim, err, failing_cleanly, out, read
from cxr.errors import Refusal
from cxr.labels import DISCLAIMER, DISPLAY_NAMES, LABELS
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle

if TYPE_CHECKING:
    from cxr.pipeline import Finding


def classify(
    files: Annotated[list[Path], typer.Argument(help="PNG, JPEG or DICOM files.", show_default=False)],
    bundle: BundlePath = DEFAULT_BUNDLE,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Classify radiographs. A file that is refused is named on stderr; the others are answered."""
    from cxr.pipeline import Classifier

    with failing_cleanly():
        classifier = Classifier(Bundle(bundle))
    answered: list[tuple[Path, Finding]] = []
    for path in track(files, "classifying", console=err, transient=True, disable=len(files) == 1):
        try:
            answered.append((path, classifier.classify(read(path))))
        except Refusal as refusal:
            complain(f"{path}: {refusal}")
        except OSError:
            complain(f"{path}: The file cannot be read.")
    if as_json:
        for path, finding in answered:
            typer.echo(json.dumps({"file": str(path), **asdict(finding), "disclaimer": DISCLAIMER}))
    elif answered:
        out.print(_findings_table(answered))
        for path, finding in answered:
            for warning in finding.warnings:
                complain(f"{path}: {warning}")
    disclaim()
    raise typer.Exit(0 if len(answered) == len(files) else 1)


def _findings_table(answered: "list[tuple[Path, Finding]]") -> Table:
    table = Table()
    for title in ("file", "prediction", *(f"p({DISPLAY_NAMES[label]})" for label in LABELS), "not ruled out"):
        table.add_column(title)
    for path, finding in answered:
        table.add_row(
            path.name,
            DISPLAY_NAMES[finding.prediction],
            *(f"{finding.probabilities[label]:.3f}" for label in LABELS),
            ", ".join(DISPLAY_NAMES[label] for label in finding.prediction_set) or "uncertain: no label fits",
        )
    return table
