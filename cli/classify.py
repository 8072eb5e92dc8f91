"""`cxr classify`."""

import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.progress import track
from rich.table import Table

from archive.rows import UNREADABLE
from archive.sources import paths_of, read
from cli.output import BundlePath, complain, disclaim, err, failing_cleanly, out
from cxr.errors import BodyTooLarge, Refusal
from cxr.labels import DISCLAIMER, DISPLAY_NAMES, LABELS
from cxr.limits import MAX_BYTES
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle

if TYPE_CHECKING:
    from cxr.pipeline import Classifier, Finding

STDIN: Final = "-"


def classify(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="PNG, JPEG or DICOM files, folders, globs, @LIST (a text file of paths); - reads one file from stdin.",
            show_default=False,
        ),
    ],
    bundle: BundlePath = DEFAULT_BUNDLE,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a CSV table.")] = False,
) -> None:
    """Classify radiographs. Errors of refused files go to stderr; the other files are still classified."""
    from cxr.pipeline import Classifier

    if as_json and as_csv:
        raise typer.BadParameter("cannot be combined with --json.", param_hint="--csv")
    with failing_cleanly():
        paths = list(paths_of(sources))
        classifier = Classifier(Bundle(bundle))
    told = list(_told(classifier, paths))
    if as_json:
        _print_json(told)
    elif as_csv:
        _print_csv(told)
    else:
        _print_table(told)
    disclaim()
    raise typer.Exit(0 if told and all(refusal is None for _, _, refusal in told) else 1)


Told = tuple[str, "Finding | None", "tuple[str, str] | None"]
"""A path, and either its finding or its error (code, message)."""


def _told(classifier: "Classifier", paths: list[str]) -> Iterator[Told]:
    for path in track(paths, "classifying", console=err, transient=True, disable=len(paths) == 1):
        try:
            yield path, classifier.classify(_read(path)), None
        except Refusal as refusal:
            yield path, None, (refusal.code, str(refusal))
        except OSError:
            yield path, None, (UNREADABLE, "The file cannot be read.")


def _read(path: str) -> bytes:
    if path != STDIN:
        return read(Path(path))
    data = sys.stdin.buffer.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise BodyTooLarge
    return data


def _print_json(told: list[Told]) -> None:
    for path, finding, refusal in told:
        if finding:
            typer.echo(json.dumps({"file": path, **asdict(finding), "disclaimer": DISCLAIMER}))
        elif refusal:
            code, message = refusal
            typer.echo(json.dumps({"file": path, "error": {"code": code, "message": message}}))
            complain(f"{path}: {message}")


def _print_csv(told: list[Told]) -> None:
    """Print CSV. Several labels or warnings in a cell are joined by semicolons."""
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(("file", "prediction", *(f"p_{label}" for label in LABELS), "prediction_set", "warnings", "error"))
    for path, finding, refusal in told:
        if finding:
            p = (f"{finding.probabilities[label]:.6f}" for label in LABELS)
            table.writerow(
                (path, finding.prediction, *p, ";".join(finding.prediction_set), ";".join(finding.warnings), "")
            )
        elif refusal:
            code, message = refusal
            table.writerow((path, *[""] * (3 + len(LABELS)), code))
            complain(f"{path}: {message}")


def _print_table(told: list[Told]) -> None:
    for path, _, refusal in told:
        if refusal:
            complain(f"{path}: {refusal[1]}")
    answered = [(path, finding) for path, finding, _ in told if finding]
    if answered:
        out.print(_findings_table(answered))
    for path, finding in answered:
        for warning in finding.warnings:
            complain(f"{path}: {warning}")


def _findings_table(answered: "list[tuple[str, Finding]]") -> Table:
    table = Table()
    for title in ("file", "prediction", *(f"p({DISPLAY_NAMES[label]})" for label in LABELS), "not ruled out"):
        table.add_column(title)
    for path, finding in answered:
        table.add_row(
            Path(path).name,
            DISPLAY_NAMES[finding.prediction],
            *(f"{finding.probabilities[label]:.3f}" for label in LABELS),
            ", ".join(DISPLAY_NAMES[label] for label in finding.prediction_set) or "uncertain: no label fits",
        )
    return table
