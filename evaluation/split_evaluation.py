"""What `cxr evaluate` found on one split: all that a model card and a report show of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from cxr.arrays import Floats
from cxr.labels import Label
from evaluation.figure import Figure
from training.data import Split

Numbers = list[float | None]


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of a curve, x ascending, and the 95 % interval of each; None where there is nothing to measure."""

    x: Numbers
    value: Numbers
    low: Numbers
    high: Numbers

    @staticmethod
    def of(x: Floats, value: Floats, low: Floats, high: Floats) -> "Curve":
        """Rounded to four digits, NaN as None."""
        return Curve(*([None if np.isnan(y) else round(float(y), 4) for y in part] for part in (x, value, low, high)))


@dataclass(frozen=True, slots=True)
class SplitEvaluation:
    """Figures and curves of one bundle on one split, with intervals of a patient-clustered bootstrap.

    `figures` are named as in `evaluation.metrics`: those of a label `<label>_<figure>`, means `macro_<figure>`. Further
    ones, where `<label>` and `<source>` stand for each that there is:

        uncalibrated/ece, /log_loss, /brier     before the temperature
        if_calibrated/ece, /log_loss, /brier    mean and interval that perfect calibration would give
        <label>_ppv@<prevalence>, …_npv@…       at stated prevalences
        conformal/<label>/coverage, /set_size   of the prediction sets of images of the label
        conformal/<label>/expected              mean and interval of the coverage that theory gives
        conformal/set_size, /size_<n>           labels in a set, share of sets of n labels
        risk/aurc, risk/<coverage>              error rate when the least certain are left out
        source/<source>/accuracy, /coverage, /<label>/recall
        source_only/macro_f1, /accuracy, /<label>_<figure>     of a classifier that knows only the source
        <source>/covid19_vs_pneumonia_auroc     within a source that holds both
        new/macro_f1, /accuracy, /covid19_…     of the `new` images, without a near-duplicate in training,
                                                where it is known how many they are

    Calibration and conformal figures are those of the `held_out` images, which fitted neither; all others are of all
    `images`. `curves` are `roc/<label>`, `pr/<label>`, `risk`, and over mean confidence `reliability`,
    `uncalibrated/reliability` and `if_calibrated/reliability`; `share` is how many images a bin of confidence holds.
    `counts` has the number of images for each label, and for each `<source>/<label>`. `confusion` has rows of true and
    columns of predicted labels.
    """

    bundle: str
    version: str
    split: Split
    images: int
    patients: int
    held_out: int
    resamples: int
    provider: str
    figures: dict[str, Figure]
    counts: dict[str, int]
    confusion: list[list[int]]
    new: int | None = None
    curves: dict[str, Curve] = field(default_factory=dict)

    @property
    def sources(self) -> list[str]:
        """Where its images come from."""
        return sorted({name.split("/")[0] for name in self.counts if "/" in name})

    @property
    def recalls(self) -> list[list[float]]:
        """The confusion matrix as shares of each true label; 0 where there is none."""
        return [[cell / max(sum(row), 1) for cell in row] for row in self.confusion]

    @property
    def worst_source(self) -> str | None:
        """The source with the least accuracy; None where there are not two that have one."""
        accuracies = {source: self.figures[f"source/{source}/accuracy"].value for source in self.sources}
        known = {source: value for source, value in accuracies.items() if value is not None}
        return min(known, key=known.__getitem__) if len(known) > 1 else None

    def share(self, label: Label) -> float:
        """Of its images that have a label."""
        return self.counts.get(label, 0) / self.images

    def some(self, *names: str) -> Iterator[tuple[str, Figure]]:
        """Those of these figures that were measured; a shipped evaluation may be older than a figure."""
        return ((name, self.figures[name]) for name in names if name in self.figures)
