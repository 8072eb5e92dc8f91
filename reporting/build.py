"""The report: all figures of a bundle, in reading order."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from cxr.labels import DISCLAIMER
from evaluation.evaluation_file import BundleEvaluation
from evaluation.gallery import Case
from reporting.document import Document, Items, PatientImage, Section, Text
from reporting.elsewhere import elsewhere_section
from reporting.gate import gate_section
from reporting.looks import looks_section
from reporting.maps.marks import marks_section
from reporting.maps.quality import maps_section
from reporting.measured import SPLIT_NAMES
from reporting.model import data, limits, networks, parity
from reporting.split import split_sections
from reporting.study import learning_picture, study_sections
from reporting.summary import summary
from study.tables import StudyResult
from training.rundir import RunDir

NOT_MEASURED = {
    "gate": "The images that the gate rejects: train a gate with `cxr gate`.",
    "checks": "Ablations and the source probe: run `cxr evaluate --split val`.",
    "explanations": "The quality of the maps: run `cxr evaluate --split val --explanations 300`.",
    "marks": "The maps compared with radiologists' boxes: run `cxr marks`.",
    "test": "The test split: it is measured once, after all choices are final.",
    "study": "The paper's tables I to III: give the study with `--study`.",
    "left_out": "A model trained without one of the sources and tested on it: `cxr train --set leave_out=SOURCE`.",
}


def report(
    evaluation: BundleEvaluation,
    study: StudyResult | None = None,
    runs: Sequence[RunDir] = (),
    cases: Sequence[Case] = (),
) -> Document:
    """The whole report.

    Args:
        evaluation: of the bundle, with at least one split.
        study: for the paper's tables.
        runs: for learning curves.
        cases: example radiographs with their maps.
    """
    manifest = evaluation.bundle.manifest
    return Document(
        f"Evaluation of {manifest.name} {manifest.version}",
        DISCLAIMER,
        tuple(_sections(evaluation, study, runs, cases)),
    )


def runs_below(folder: Path) -> list[RunDir]:
    """Runs with a log that were trained with all sources, in a folder and its subfolders, by name."""
    logs = (file.parent for file in folder.rglob("log.csv") if (file.parent / "config.json").exists())
    runs = (RunDir(path) for path in sorted(logs, key=lambda path: path.name))
    return [run for run in runs if not run.config.leave_out]


def _sections(
    evaluation: BundleEvaluation, study: StudyResult | None, runs: Sequence[RunDir], cases: Sequence[Case]
) -> Iterator[Section]:
    manifest = evaluation.bundle.manifest
    splits = [evaluation.splits[split] for split in SPLIT_NAMES if split in evaluation.splits]
    if evaluation.elsewhere:
        yield elsewhere_section(evaluation.elsewhere)
    if splits:
        yield summary(splits[0])
    yield networks(manifest)
    if evaluation.data:
        yield data(evaluation.data)
    for found in splits:
        yield from split_sections(found, manifest.conformal.coverage, pictured=True)
    if evaluation.checks:
        yield looks_section(evaluation.checks)
    if evaluation.gate:
        yield gate_section(evaluation.gate)
    yield from map(maps_section, evaluation.explanations)
    if evaluation.marks:
        yield marks_section(evaluation.marks)
    if cases:
        yield _gallery(cases)
    if study:
        yield from study_sections(study, runs)
    elif runs:
        yield Section("Learning curves", tuple(map(learning_picture, runs)))
    if evaluation.parity:
        yield parity(evaluation.parity)
    yield Section("What is not in this report", (Items(tuple(_missing(evaluation, study))),))
    yield from limits(manifest)


def _gallery(cases: Sequence[Case]) -> Section:
    """Example cases. They contain patients' images, so they are only in the HTML report, which is not committed."""
    about = Text(
        "Right, wrong and uncertain cases of the validation split, with the maps of the three methods. They are not "
        "hand-picked: of each kind, the files with the smallest hashes are shown."
    )
    panels = (PatientImage(f"A radiograph and its maps, {case.kind}", case.caption, case.panel_png) for case in cases)
    return Section("Cases to look at", (about, *panels))


def _missing(evaluation: BundleEvaluation, study: StudyResult | None) -> Iterator[str]:
    has = {
        "gate": bool(evaluation.gate),
        "checks": bool(evaluation.checks),
        "explanations": bool(evaluation.explanations),
        "marks": bool(evaluation.marks),
        "test": "test" in evaluation.splits,
        "study": study is not None,
        "left_out": study is not None and bool((study.test or study.select).left_out),
    }
    yield from (text for name, text in NOT_MEASURED.items() if not has[name])
