"""What is known of a model at a hospital that it has not learnt from: figures of left-out sources."""

from dataclasses import dataclass

from cxr.labels import Label
from evaluation.figure import Figure


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """One source in the part of a new hospital: networks of the members' recipes, trained without it, judge it.

    `auroc` tells the label `told` from `other`; None where the source holds one label alone. `recall` is that of each
    label there is when the largest probability is the answer. `coverage` of prediction sets, by label with enough
    images, `mean_size` and `full` (the share of sets that rule nothing out) and `ece` are those of a temperature and
    thresholds that were fitted on the other sources.
    """

    source: str
    images: int
    told: Label
    other: Label | None
    auroc: Figure | None
    recall: dict[Label, float]
    coverage: dict[Label, float]
    mean_size: float
    full: float
    ece: float
