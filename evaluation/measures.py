"""Every figure and curve of an evaluation as a function of the images' weights.

Weights are [R, N], figures [R], curves [R, points]. The same call gives the value and, with 2,000 resamples, the
interval.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Final

import numpy as np

from cxr.arrays import Floats
from cxr.labels import LABELS
from evaluation import curves, metrics
from evaluation.predictions import Predictions
from training.data import Row

NamedFigures = Iterator[tuple[str, Floats]]

PREVALENCES: Final = (0.01, 0.05, 0.2)
COVERAGES: Final = (0.5, 0.8, 0.9)  # points of `curves.GRID`
COVID19, PNEUMONIA = LABELS.index("covid19"), LABELS.index("pneumonia")


class Measures:
    """All figures of some predictions.

    `train_rows` train the classifier that knows only the source. `near_duplicates` are files with a near-duplicate
    among `train_rows`.
    """

    def __init__(self, said: Predictions, train_rows: Sequence[Row], near_duplicates: Collection[str] = ()) -> None:
        self.said = said
        self.is_new = np.array([row.file not in near_duplicates for row in said.rows])
        self.source_scores = source_only(train_rows, said.rows)

    def figures(self, weights: Floats) -> dict[str, Floats]:
        """Weights [R, N] → figures [R], named as in `evaluation.split_evaluation.SplitEvaluation`."""
        said, held_out = self.said, weights * self.said.held_out
        told = metrics.discrimination(said.posterior, said.labels, weights)
        calibrated = metrics.calibration(said.posterior, said.labels, held_out)
        before = metrics.calibration(said.uncalibrated, said.labels, held_out)
        return {
            **told,
            **dict(at_prevalences(told)),
            **calibrated,
            **{f"uncalibrated/{name}": values for name, values in before.items()},
            **dict(_conformal(said, held_out)),
            **dict(_selective(said, weights)),
            **dict(_sources(said, weights)),
            **dict(self._source_only(weights)),
            **dict(self._new(weights)),
        }

    def curves(self, weights: Floats) -> dict[str, Floats]:
        """Weights [R, N] → curves [R, points]. Curves over confidence use held-out images."""
        said, held_out = self.said, weights * self.said.held_out
        found = {"risk": curves.risk_coverage(said.posterior, said.labels, weights)}
        for index, label in enumerate(LABELS):
            one = said.posterior[:, index], said.labels == index, weights
            found |= {f"roc/{label}": curves.roc(*one), f"pr/{label}": curves.precision_recall(*one)}
        for prefix, posterior in (("", said.posterior), ("uncalibrated/", said.uncalibrated)):
            for name, values in curves.reliability(posterior, said.labels, held_out).items():
                found[f"{prefix}{name}"] = values
        return found

    def _source_only(self, weights: Floats) -> NamedFigures:
        told = metrics.by_label(self.source_scores, self.said.labels, weights)
        yield "source_only/macro_f1", metrics.macro_f1(self.source_scores, self.said.labels, weights)
        right = self.source_scores.argmax(axis=1) == self.said.labels
        yield "source_only/accuracy", metrics.mean(right, weights)
        for index, label in enumerate(LABELS):
            for name in ("ppv", "recall", "f1"):
                yield f"source_only/{label}_{name}", told[name][:, index]

    def _new(self, weights: Floats) -> NamedFigures:
        """Headline figures of the images without a near-duplicate, if some have one."""
        if self.is_new.all():
            return
        told = metrics.discrimination(self.said.posterior, self.said.labels, weights * self.is_new)
        for name in ("macro_f1", "accuracy", "covid19_ppv", "covid19_recall", "covid19_f1"):
            yield f"new/{name}", told[name]


def at_prevalences(told: dict[str, Floats]) -> NamedFigures:
    """Predictive values at given prevalences, by Bayes' rule from sensitivity and specificity."""
    for label in LABELS:
        recall, specificity = told[f"{label}_recall"], told[f"{label}_specificity"]
        for share in PREVALENCES:
            hits, alarms = recall * share, (1 - specificity) * (1 - share)
            misses, rejected = (1 - recall) * share, specificity * (1 - share)
            yield f"{label}_ppv@{share:g}", metrics.ratio(hits, hits + alarms)
            yield f"{label}_npv@{share:g}", metrics.ratio(rejected, rejected + misses)


def _conformal(said: Predictions, weights: Floats) -> NamedFigures:
    sizes = said.in_set.sum(axis=1)
    yield "conformal/set_size", metrics.mean(sizes, weights)
    for size in range(len(LABELS) + 1):
        yield f"conformal/size_{size}", metrics.mean(sizes == size, weights)
    for index, label in enumerate(LABELS):
        its = weights * (said.labels == index)
        yield f"conformal/{label}/coverage", metrics.mean(said.in_set[:, index], its)
        yield f"conformal/{label}/set_size", metrics.mean(sizes, its)
    covered = said.in_set[np.arange(len(said.labels)), said.labels]
    for source in np.unique(said.sources):
        yield f"source/{source}/coverage", metrics.mean(covered, weights * (said.sources == source))


def _selective(said: Predictions, weights: Floats) -> NamedFigures:
    yield "risk/aurc", curves.aurc(said.posterior, said.labels, weights)
    sampled = curves.risk_coverage(said.posterior, said.labels, weights)
    for coverage in COVERAGES:
        yield f"risk/{coverage:g}", sampled[:, np.abs(curves.GRID - coverage).argmin()]


def _sources(said: Predictions, weights: Floats) -> NamedFigures:
    right = said.posterior.argmax(axis=1) == said.labels
    ratio = said.posterior[:, COVID19] / (said.posterior[:, COVID19] + said.posterior[:, PNEUMONIA] + 1e-12)
    for source in np.unique(said.sources):
        here = said.sources == source
        yield f"source/{source}/accuracy", metrics.mean(right, weights * here)
        held = np.unique(said.labels[here])
        for index in held:
            yield (
                f"source/{source}/{LABELS[index]}/recall",
                metrics.mean(right, weights * (here & (said.labels == index))),
            )
        if {COVID19, PNEUMONIA} <= set(held):
            pair = here & np.isin(said.labels, (COVID19, PNEUMONIA))
            auroc = metrics.auroc(ratio[pair], said.labels[pair] == COVID19, weights[:, pair])
            yield f"{source}/covid19_vs_pneumonia_auroc", auroc


def source_only(train_rows: Sequence[Row], rows: Sequence[Row]) -> Floats:
    """Scores [N, K] of a classifier that sees no image: the frequency of each label in the row's source."""
    learnt = Counter((row.source, row.label) for row in train_rows)
    return np.array([[learnt[row.source, label] for label in LABELS] for row in rows], dtype=np.float64)
