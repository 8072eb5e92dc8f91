"""Tables of the figures of one split."""

from collections.abc import Iterable, Iterator
from typing import Final

from cxr.labels import DISPLAY_NAMES, LABELS
from evaluation.figure import Figure
from evaluation.measures import COVERAGES, PREVALENCES
from evaluation.split_evaluation import SplitEvaluation
from reporting.document import Table

SPLIT_NAMES: Final = {"test": "Test split", "val": "Validation split"}
NAMES: Final = [DISPLAY_NAMES[label] for label in LABELS]

BY_LABEL: Final = {
    "sensitivity (recall)": "recall",
    "specificity": "specificity",
    "PPV (precision)": "ppv",
    "NPV": "npv",
    "F1": "f1",
    "AUROC": "auroc",
    "average precision": "ap",
}
BESIDE: Final = {"PPV": "ppv", "recall": "recall", "F1": "f1"}
CALIBRATION: Final = {"ECE, 15 bins": "ece", "Brier score": "brier", "log loss (nats)": "log_loss"}


def counted(found: SplitEvaluation) -> str:
    """The number of images and patients, in words."""
    return f"{found.images:,} images of {found.patients:,} patients or near-duplicate groups"


def headline(found: SplitEvaluation) -> Table:
    """The headline figures, those of a classifier that knows only the source, and those without near-duplicates."""
    names = {"macro-F1": "macro_f1", "accuracy": "accuracy"}
    names |= {f"COVID-19 {said}": f"covid19_{name}" for said, name in BESIDE.items()}
    header = (
        "figure",
        "this model",
        "a classifier that knows only the source",
        f"this model, on {found.new or 0:,} new images",
    )
    rows = [(said, *_cells(found, name, f"source_only/{name}", f"new/{name}")) for said, name in names.items()]
    return Table(header, tuple(rows))


def by_label(found: SplitEvaluation) -> Table:
    """Each label against the rest, and macro and micro averages."""
    rows = [
        (DISPLAY_NAMES[label], f"{found.counts.get(label, 0):,}", *_cells(found, *_named(f"{label}_")))
        for label in LABELS
    ]
    rows.append(("macro mean", f"{found.images:,}", *_cells(found, *_named("macro_"))))
    micro = {"recall": "accuracy", "ppv": "accuracy", "f1": "accuracy", "auroc": "micro_auroc", "ap": "micro_ap"}
    rows.append(("micro", f"{found.images:,}", *_cells(found, *(micro.get(name, "") for name in BY_LABEL.values()))))
    return Table(("finding", "images", *BY_LABEL), tuple(rows))


def at_prevalences(found: SplitEvaluation) -> Table:
    """Predictive values at lower prevalences than in these data."""
    shares = [f"{share:.0%}" for share in PREVALENCES]
    header = ("finding", *(f"PPV at {share}" for share in shares), *(f"NPV at {share}" for share in shares))
    rows = [
        (
            DISPLAY_NAMES[label],
            *_cells(found, *(f"{label}_{kind}@{share:g}" for kind in ("ppv", "npv") for share in PREVALENCES)),
        )
        for label in LABELS
    ]
    caption = "By Bayes' rule from sensitivity and specificity, which themselves may differ for other patients."
    return Table(header, tuple(rows), caption)


def confusion(found: SplitEvaluation) -> Table:
    """The confusion matrix in counts."""
    rows = [
        (DISPLAY_NAMES[label], *(f"{cell:,}" for cell in row))
        for label, row in zip(LABELS, found.confusion, strict=True)
    ]
    return Table(("true \\ predicted", *NAMES), tuple(rows))


def sources(found: SplitEvaluation) -> Table:
    """Accuracy and coverage of the prediction set by source; recall of each label that the source has."""
    header = ("source", "accuracy", *(f"recall of {name}" for name in NAMES), "set contains the true label")
    rows = []
    for source in found.sources:
        accuracy, coverage = _cells(found, f"source/{source}/accuracy", f"source/{source}/coverage")
        rows.append((source, accuracy, *(_recall(found, source, label) for label in LABELS), coverage))
    return Table(header, tuple(rows))


def _recall(found: SplitEvaluation, source: str, label: str) -> str:
    count = found.counts.get(f"{source}/{label}", 0)
    return f"{found.figures[f'source/{source}/{label}/recall']} n = {count:,}" if count else "–"


def within_sources(found: SplitEvaluation) -> Table | None:
    """COVID-19 against pneumonia within each source that has both; None if there is no such source."""
    header = ("within the source", "COVID-19 images", "pneumonia images", "AUROC of COVID-19 against pneumonia")
    rows = []
    for source in found.sources:
        auroc = found.figures.get(f"{source}/covid19_vs_pneumonia_auroc")
        if auroc is not None:
            counts = (f"{found.counts[f'{source}/{label}']:,}" for label in ("covid19", "pneumonia"))
            rows.append((source, *counts, str(auroc)))
    return Table(header, tuple(rows)) if rows else None


def calibration(found: SplitEvaluation) -> Table:
    """ECE, Brier score and log loss before and after the temperature, and under perfect calibration."""
    rows = []
    for said, name in CALIBRATION.items():
        cells = _cells(found, f"uncalibrated/{name}", name, f"if_calibrated/{name}")
        rows.append((said, *cells, _lies_in(found, name, f"if_calibrated/{name}")))
    header = ("figure", "before the temperature", "after", "if perfectly calibrated", "measured lies in that interval")
    return Table(header, tuple(rows))


def conformal(found: SplitEvaluation) -> Table:
    """Coverage and size of the prediction sets, by true label."""
    header = ("true label", "coverage", "expected", "measured lies in that interval", "labels in a set")
    rows = []
    for label in LABELS:
        part = f"conformal/{label}"
        coverage, expected, size = _cells(found, f"{part}/coverage", f"{part}/expected", f"{part}/set_size")
        within = _lies_in(found, f"{part}/coverage", f"{part}/expected")
        rows.append((DISPLAY_NAMES[label], coverage, expected, within, size))
    return Table(header, tuple(rows))


def set_sizes(found: SplitEvaluation) -> Table:
    """The sizes of the prediction sets."""
    sizes = [f"conformal/size_{size}" for size in range(len(LABELS) + 1)]
    header = (
        "mean",
        "none: uncertain",
        *(f"{size} label{'s' if size > 1 else ''}" for size in range(1, len(LABELS) + 1)),
    )
    return Table(
        header,
        (tuple(_cells(found, "conformal/set_size", *sizes)),),
        "Labels in a prediction set, as shares of images.",
    )


def selective(found: SplitEvaluation) -> Table:
    """The error rate if the least certain images are not answered."""
    header = ("AURC", *(f"error rate at {coverage:.0%} coverage" for coverage in COVERAGES))
    return Table(header, (tuple(_cells(found, "risk/aurc", *(f"risk/{coverage:g}" for coverage in COVERAGES))),))


def _named(prefix: str) -> Iterator[str]:
    return (f"{prefix}{name}" for name in BY_LABEL.values())


def _cells(found: SplitEvaluation, *names: str) -> Iterator[str]:
    """Figures, with a dash for missing ones: an older evaluation may lack a figure."""
    return (str(found.figures.get(name, Figure(None, None, None))) for name in names)


def _lies_in(found: SplitEvaluation, name: str, yardstick: str) -> str:
    measured, ideal = found.figures.get(name), found.figures.get(yardstick)
    side = None if measured is None or ideal is None else measured.side_of(ideal)
    return "–" if side is None else ("below", "yes", "above")[side + 1]


def without_empty_columns(table: Table) -> Table:
    """The table without columns that contain only dashes."""
    kept = [i for i in range(len(table.header)) if any(row[i] != "–" for row in table.rows)]
    pick: Iterable[tuple[str, ...]] = (tuple(row[i] for i in kept) for row in (table.header, *table.rows))
    header, *rows = pick
    return Table(header, tuple(rows), table.caption)
