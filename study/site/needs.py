"""How many images each figure needs, so that the report can state which figures are unknown and what is missing.

With 30 images a share of 0.8 is known to about ± 0.14 (95 %). A conformal threshold for 90 % then has a coverage
between 0.77 and 0.98 in 95 % of cases. With fewer images figures are hardly informative.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from cxr.labels import DISPLAY_NAMES, LABELS, Label
from evaluation.figure import Figure

OF_A_LABEL: Final = 30
"""Images with a label for its sensitivity and threshold; without it for its specificity; both for its AUROC."""
FOR_TEMPERATURE: Final = 100
FOR_ECE: Final = 150  # ten per bin

UNKNOWN: Final = Figure(None, None, None)


@dataclass(frozen=True, slots=True)
class Need:
    """A figure of a report, the kind and number of images that it needs, and how many there are."""

    figure: str
    images: str
    needs: int
    has: int

    @property
    def missing(self) -> int:
        """Images that must be added."""
        return max(0, self.needs - self.has)


def needs(counts: Mapping[Label, int]) -> list[Need]:
    """The needs of every figure, given the number of images of each label."""
    return [*_of_labels(counts), *_of_all(sum(counts.values()))]


def enough_to_recalibrate(counts: Mapping[Label, int]) -> bool:
    """Whether a temperature, and the threshold of at least one label, can be fitted."""
    return sum(counts.values()) >= FOR_TEMPERATURE and max(counts.values(), default=0) >= OF_A_LABEL


def known(figures: Mapping[str, Figure], counts: Mapping[Label, int]) -> dict[str, Figure]:
    """The figures of an evaluation, with None for those that have too few images."""
    return {name: UNKNOWN if _too_few(name, counts) else figure for name, figure in figures.items()}


def _of_labels(counts: Mapping[Label, int]) -> Iterator[Need]:
    total = sum(counts.values())
    for label in LABELS:
        name, has = DISPLAY_NAMES[label], counts.get(label, 0)
        yield Need(f"sensitivity, coverage and threshold of {name}", name, OF_A_LABEL, has)
        yield Need(f"specificity of {name}", f"not {name}", OF_A_LABEL, total - has)


def _of_all(total: int) -> Iterator[Need]:
    yield Need("temperature, and with it a bundle for this site", "any", FOR_TEMPERATURE, total)
    yield Need("calibration error (ECE)", "any", FOR_ECE, total)


def _too_few(name: str, counts: Mapping[Label, int]) -> bool:
    total = sum(counts.values())
    for label in LABELS:
        has, others = counts.get(label, 0), total - counts.get(label, 0)
        its_own = name.startswith((f"{label}_", f"conformal/{label}/"))
        if its_own and "_specificity" in name:
            return others < OF_A_LABEL
        if its_own and not name.startswith("conformal/") and "_recall" not in name:
            return min(has, others) < OF_A_LABEL
        if its_own:
            return has < OF_A_LABEL
    if name.startswith("macro_"):
        return min(counts.get(label, 0) for label in LABELS) < OF_A_LABEL
    if name.rpartition("/")[2] in ("ece", "brier", "log_loss"):
        return total < FOR_ECE
    return total < OF_A_LABEL
