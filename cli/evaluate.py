"""`cxr evaluate` and `cxr report`."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from cli.output import BundlePath, DataPath, err, failing_cleanly, out
from cli.prepare import data_of
from cxr.labels import LABELS
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle

if TYPE_CHECKING:
    from evaluation.evaluation_file import BundleEvaluation
    from evaluation.gallery import Case
    from evaluation.split_evaluation import SplitEvaluation

StudyPath = Annotated[
    Path | None,
    typer.Option(
        "--study", help="Folder that `cxr select` wrote, for tables I to III; with runs below it, for learning curves."
    ),
]
ReportPath = Annotated[
    Path | None, typer.Option("--report", help="Folder for the report as Markdown, with its figures as SVG.")
]


def evaluate(
    split: Annotated[
        Literal["val", "test"], typer.Option(help="Split to measure on; never use test to choose anything.")
    ] = "val",
    bundle: BundlePath = DEFAULT_BUNDLE,
    run: Annotated[
        Path | None,
        typer.Option(help="Folder of a run: its last snapshot becomes a bundle in RUN/bundle, which is evaluated."),
    ] = None,
    data: DataPath = None,
    study: StudyPath = None,
    report: ReportPath = None,
    explanations: Annotated[
        int, typer.Option(help="Number of validation images to measure the maps on: 420 forward passes each.")
    ] = 0,
) -> None:
    """Measure a bundle on a split, with 95 % intervals, and write evaluation.json, MODEL_CARD.md and report.html.

    On the validation split it also compares the ONNX graphs with PyTorch, and checks which parts of the image matter.
    """
    from evaluation.evaluation_file import BundleEvaluation
    from training.data import DEFAULT_DATA

    with failing_cleanly():
        folder = data_of(run, data) if run else data or DEFAULT_DATA
        loaded = Bundle(bundle) if run is None else _released(run, folder)
        evaluation, cases = _measured(BundleEvaluation.read(loaded), split, folder)
        if explanations:
            evaluation = _explained(evaluation, folder, explanations)
        evaluation.write()
        out.print(_headline_table(evaluation.splits[split]))
        _write(evaluation, study or run, report, cases)


def report(
    bundle: BundlePath = DEFAULT_BUNDLE,
    study: StudyPath = None,
    report: ReportPath = None,
    explanations: Annotated[
        list[Path] | None,
        typer.Option(help="File that `python -m evaluation.maps.explanations` wrote; may be repeated."),
    ] = None,
) -> None:
    """Write a bundle's model card and report again from its evaluation.json; nothing is measured."""
    from evaluation.evaluation_file import BundleEvaluation, read_explanations

    with failing_cleanly():
        evaluation = BundleEvaluation.read(Bundle(bundle))
        for path in explanations or ():
            evaluation = evaluation.with_explanations(read_explanations(path))
        _write(evaluation, study, report)


def _released(run: Path, data: Path) -> Bundle:
    """Make a bundle of a run's last snapshot, in the run's folder."""
    from study.release import Contents, Source, release
    from training.rundir import RunDir

    source = RunDir(run)
    name = re.sub("[^a-z0-9_.-]+", "-", run.resolve().name.lower()).lstrip("_.-") or "run"
    contents = Contents([Source(source, source.complete_cycles())])
    return release(contents, data, name, "1", run / "bundle")


def _measured(
    evaluation: "BundleEvaluation", split: Literal["val", "test"], folder: Path
) -> "tuple[BundleEvaluation, list[Case]]":
    """The measured figures, and example radiographs for the report."""
    from evaluation.bundle_images import bundle_images
    from evaluation.checks import checks
    from evaluation.evaluate import evaluate as measure
    from evaluation.gallery import gallery
    from evaluation.near_duplicates import PAIRS, near_duplicates_in_train
    from evaluation.predictions import predictions
    from evaluation.table_facts import table_facts
    from export.verify import verify
    from training.data import half_of_validation, read_table

    bundle = evaluation.bundle
    images, rows = bundle_images(bundle, folder, split), read_table(folder)
    near_duplicates = near_duplicates_in_train(PAIRS, rows)
    facts = table_facts(folder, near_duplicates)
    learnt = tuple(row for row in rows if row.split == "train")
    is_its_own = facts.sha256 == bundle.manifest.training_manifest_sha256
    halved = (row for row in rows if row.split == "val" and half_of_validation(row) == "calibrate")
    calibrated = tuple(halved) if is_its_own and bundle.manifest.calibrated_on is None else ()
    said = predictions(bundle, images, calibrated)
    with err.status("resampling patients"):
        found = measure(bundle, said, split, learnt, calibrated, near_duplicates)
    evaluation = replace(evaluation.with_split(found), data=facts)
    cases: list[Case] = []
    if split == "val":
        with err.status(f"comparing with PyTorch on {len(images.rows)} images"):
            parity = verify(bundle, images.views, [row.file for row in images.rows])
        with err.status("removing parts of the images"):
            evaluation = replace(
                evaluation, parity=tuple(parity), checks=checks(bundle, folder, images, said.posterior)
            )
        cases = gallery(bundle, folder, said.rows, said.posterior)
    return evaluation, cases


def _explained(evaluation: "BundleEvaluation", folder: Path, count: int) -> "BundleEvaluation":
    """Add metrics of the explaining member's maps, on `count` validation images."""
    from evaluation.bundle_images import bundle_images
    from evaluation.maps.explanations import choose, explanations
    from evaluation.maps.lung_masks import segmented
    from networks.architectures import load_member

    bundle = evaluation.bundle
    member = bundle.explainer
    chosen = choose(bundle_images(bundle, folder, "val").of(member.frame), count)
    lungs = segmented(bundle, folder, chosen.rows)[member.frame]
    return evaluation.with_explanations(explanations(load_member(bundle, member), member.architecture, chosen, lungs))


def _write(
    evaluation: "BundleEvaluation", study: Path | None, report: Path | None, cases: "Sequence[Case]" = ()
) -> None:
    """Write card and report. A study's folder may contain study.json, or runs, or both."""
    from reporting.build import report as build
    from reporting.build import runs_below
    from reporting.card import write_card
    from reporting.html import html
    from reporting.markdown import write_markdown
    from study.tables import StudyResult

    written = [write_card(evaluation)]
    result = StudyResult.read(study / "study.json") if study and (study / "study.json").exists() else None
    document = build(evaluation, result, runs_below(study) if study else [], cases)
    written.append(evaluation.bundle.root / "report.html")
    written[-1].write_text(html(document), encoding="utf-8")
    if report:
        written.append(report / "report.md")
        write_markdown(document, written[-1])
    typer.echo(f"Written: {', '.join(map(str, written))}")


def _headline_table(found: "SplitEvaluation") -> Table:
    table = Table(title=f"{found.bundle} {found.version} on {found.split}: {found.images} images")
    for title in ("figure", "value [95 % interval]"):
        table.add_column(title)
    by_label = [f"{label}_{figure}" for label in LABELS for figure in ("ppv", "recall", "f1")]
    for name in ("macro_f1", "source_only/macro_f1", "accuracy", *by_label):
        table.add_row(name, str(found.figures[name]))
    return table
