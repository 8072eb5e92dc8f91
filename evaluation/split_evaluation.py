"""The results of `cxr evaluate` on one split, which model card and report show."""

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
    """Points of a curve, x ascending, and the 95 % interval of each; None if there is nothing to measure."""

    x: Numbers
    value: Numbers
    low: Numbers
    high: Numbers

    @staticmethod
    def of(x: Floats, value: Floats, low: Floats, high: Floats) -> "Curve":
        """A curve with values rounded to four digits, and NaN as None."""
        return Curve(*([None if np.isnan(y) else round(float(y), 4) for y in part] for part in (x, value, low, high)))


@dataclass(frozen=True, slots=True)
class SplitEvaluation:
    """Figures and curves of one bundle on one split, with intervals of a patient-clustered bootstrap.

    `figures` are named as in `evaluation.metrics`: `<label>_<figure>` for a label, `macro_<figure>` for means. There
    are also the following, for each `<label>` and `<source>`:

        uncalibrated/ece, /log_loss, /brier     before the temperature
        if_calibrated/ece, /log_loss, /brier    mean and interval under perfect calibration
        <label>_ppv@<prevalence>, …_npv@…       at stated prevalences
        conformal/<label>/coverage, /set_size   of the prediction sets of the label's images
        conformal/<label>/expected              mean and interval of the coverage by theory
        conformal/set_size, /size_<n>           labels in a set, share of sets of n labels
        risk/aurc, risk/<coverage>              error rate if the least certain images are not answered
        source/<source>/accuracy, /coverage, /<label>/recall
        source_only/macro_f1, /accuracy, /<label>_<figure>     of a classifier that knows only the source
        <source>/covid19_vs_pneumonia_auroc     within a source that has both
        new/macro_f1, /accuracy, /covid19_…     of the `new` images, those without a near-duplicate in training,
                                                if near-duplicates are known

    Calibration and conformal figures are over the `held_out` images, which were not used for their fit; all others are
    over all `images`. `curves` are `roc/<label>`, `pr/<label>`, `risk`, and over mean confidence `reliability`,
    `uncalibrated/reliability` and `if_calibrated/reliability`; `share` is the share of the images in a bin of
    confidence. `counts` has the number of images for each label, and for each `<source>/<label>`. `confusion` has rows
    of true and columns of predicted labels.
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
        """The sources of the images."""
        return sorted({name.split("/")[0] for name in self.counts if "/" in name})

    @property
    def recalls(self) -> list[list[float]]:
        """The confusion matrix as shares of each true label; 0 for a label without images."""
        return [[cell / max(sum(row), 1) for cell in row] for row in self.confusion]

    @property
    def worst_source(self) -> str | None:
        """The source with the lowest accuracy; None unless at least two sources have one."""
        accuracies = {source: self.figures[f"source/{source}/accuracy"].value for source in self.sources}
        known = {source: value for source, value in accuracies.items() if value is not None}
        return min(known, key=known.__getitem__) if len(known) > 1 else None

    def share(self, label: Label) -> float:
        """The share of the images with a label."""
        return self.counts.get(label, 0) / self.images

    def some(self, *names: str) -> Iterator[tuple[str, Figure]]:
        """The named figures that exist: an older evaluation may lack a figure."""
        return ((name, self.figures[name]) for name in names if name in self.figures)
