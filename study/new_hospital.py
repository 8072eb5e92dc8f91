"""Temperature and conformal thresholds for hospitals outside a network's training data.

A calibration that is fitted on a network's own hospitals is over-confident elsewhere. Here every source in turn has the
role of the new hospital: networks of one recipe were trained without it and predict its training and validation images.
A temperature and thresholds are fitted on some of these sources together and measured on one that is held back. This
assumes that a new hospital resembles one of these sources; there is no guarantee.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from cxr.arrays import Floats, Ints
from cxr.errors import DataError
from cxr.labels import LABELS, Label
from cxr.model.posterior import combine
from evaluation import metrics
from evaluation.calibration import fit_temperature, fit_thresholds
from study.travel import left_out_rows
from study.travel_archive import Archive
from training.data import Row

MEMBERS: Final = ("convolution", "full")
"""The recipes of the bundle's members, each of which was trained without each of the sources."""

SEED: Final = 0
COVERAGE: Final = 0.9
CURVE: Final = (0.8, 0.85, 0.9, 0.95)
"""Target coverages, to show how each one affects the size of the sets."""

FEWEST: Final = 50  # smallest number of images of a label in a source for measuring its coverage


@dataclass(frozen=True, slots=True)
class Unseen:
    """A source's images as seen by networks trained without it: last snapshots' logits [M, N, 3], and labels [N]."""

    logits: Floats
    labels: Ints


@dataclass(frozen=True, slots=True)
class Fit:
    """A temperature, and by label the threshold on 1 - p."""

    temperature: float
    thresholds: dict[Label, float]


@dataclass(frozen=True, slots=True)
class HeldBack:
    """The results of a fit on the other sources, measured on the source that is held back.

    `coverage` is by label with at least `FEWEST` images; `full` is the share of sets that rule nothing out; `ece` has
    15 bins; `ece_uncalibrated` is the ECE at temperature 1.
    """

    source: str
    asked: float
    fit: Fit
    coverage: Mapping[Label, float]
    mean_size: float
    full: float
    ece: float
    ece_uncalibrated: float


def unseen(rows: Sequence[Row], archives: Sequence[Archive], members: Sequence[str] = MEMBERS) -> dict[str, Unseen]:
    """By source, for every source that has a complete run without it for each member's recipe.

    Raises:
        DataError: archives do not fit the table.
    """
    by_recipe = [
        {one.config.leave_out: one for one in archives if _is_of(one, member) and one.left_out is not None}
        for member in members
    ]
    shared = [source for source in by_recipe[0] if all(source in runs for runs in by_recipe)]
    return {source: _of_source(rows, [runs[source] for runs in by_recipe], source) for source in shared}


def _is_of(one: Archive, member: str) -> bool:
    return one.recipe == member and one.config.seed == SEED and one.complete


def _of_source(rows: Sequence[Row], runs: Sequence[Archive], source: str) -> Unseen:
    labels = np.array([LABELS.index(row.label) for row in left_out_rows(rows, source)], dtype=np.int64)
    logits = np.stack([run.left_out[-1] for run in runs if run.left_out is not None]).astype(np.float64)
    if logits.shape[1] != len(labels):
        raise DataError(f"the archives of runs without {source} do not fit the table")
    return Unseen(logits, labels)


def fit(sources: Iterable[Unseen], coverage: float = COVERAGE) -> Fit:
    """Fit on the images of several sources together: the temperature by log loss, then thresholds by label."""
    seen = list(sources)
    logits = np.concatenate([one.logits for one in seen], axis=1)
    labels = np.concatenate([one.labels for one in seen])
    temperature = fit_temperature(logits, labels, "scpa")
    return Fit(temperature, fit_thresholds(combine(logits, temperature, "scpa"), labels, coverage))


def held_back(sources: Mapping[str, Unseen], coverage: float = COVERAGE) -> list[HeldBack]:
    """Every source in turn, measured with a fit on all others. There must be at least two."""
    return [
        _judged(name, one, fit((other for key, other in sources.items() if key != name), coverage), coverage)
        for name, one in sources.items()
    ]


def _judged(name: str, one: Unseen, fitted: Fit, coverage: float) -> HeldBack:
    posterior = combine(one.logits, fitted.temperature, "scpa")
    kept = 1.0 - posterior <= np.array([fitted.thresholds[label] for label in LABELS])
    sizes = kept.sum(axis=1)
    return HeldBack(
        source=name,
        asked=coverage,
        fit=fitted,
        coverage={
            label: float(kept[one.labels == index, index].mean())
            for index, label in enumerate(LABELS)
            if (one.labels == index).sum() >= FEWEST
        },
        mean_size=float(sizes.mean()),
        full=float((sizes == len(LABELS)).mean()),
        ece=float(metrics.calibration_error(posterior, one.labels)[0]),
        ece_uncalibrated=float(metrics.calibration_error(combine(one.logits, 1.0, "scpa"), one.labels)[0]),
    )
