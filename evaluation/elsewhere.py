"""Figures of a model at hospitals outside its training data: those of left-out sources."""

from dataclasses import dataclass

from cxr.labels import Label
from evaluation.figure import Figure


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """One source in the role of a new hospital, classified by networks of the members' recipes trained without it.

    `auroc` separates the label `told` from `other`; None if the source has a single label. `recall` is that of each
    existing label if the largest probability is the answer. `coverage` of prediction sets (by label with enough
    images), `mean_size`, `full` (the share of sets that rule nothing out) and `ece` are for a temperature and
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
