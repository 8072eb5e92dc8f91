"""Metrics of a gate: what it keeps out, rightly and by mistake. Scores must be of images it was not trained on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from cxr.arrays import Floats
from evaluation import metrics
from evaluation.bootstrap import RESAMPLES, Resampling
from evaluation.figure import Figure

Of = Literal["strangers", "source", "left out", "elsewhere"]

KEPT_OUT: Final = 0.0075
"""Share of radiographs that a threshold keeps out, cross-fitted, over all sources that count alike."""


@dataclass(frozen=True, slots=True)
class GateCheck:
    """A gate on images of one kind.

    `of` gives the meaning of `name`. For a kind of other images, there are `auroc` against unchanged radiographs and
    `let_in`, the share that passes. For a source of radiographs there is `kept_out`: of patients that were not in the
    training (`source`), of a source that was not in the training (`left out`), or of images that the data set has in
    addition to its splits (`elsewhere`).
    """

    of: Of
    name: str
    images: int
    figures: dict[str, Figure]


def threshold(scores: Floats, sources: Sequence[str]) -> float:
    """The score that a share `KEPT_OUT` of the radiographs is below, with equal weight for each source.

    Args:
        scores: [N] of radiographs outside the training data.
        sources: [N].
    """
    names, places, counts = np.unique(np.asarray(sources), return_inverse=True, return_counts=True)
    weights = 1 / (counts[places] * len(names))
    order = np.argsort(scores)
    return float(scores[order][np.searchsorted(np.cumsum(weights[order]), KEPT_OUT)])


def strangers(kind: str, known: Floats, others: Floats, patients: Sequence[str], limit: float) -> GateCheck:
    """How well scores separate other images [M] from known radiographs [N].

    Args:
        kind: its name.
        known: [N].
        others: [M].
        patients: [N + M] the patient of each image, or of the image it was made from.
        limit: a score under it is kept out.
    """
    is_known = np.repeat([True, False], [len(known), len(others)])
    both = np.concatenate([known, others])

    def figures(weights: Floats) -> dict[str, Floats]:
        let_in = metrics.mean(others >= limit, weights[:, ~is_known])
        return {"auroc": metrics.auroc(both, is_known, weights), "let_in": let_in}

    return GateCheck("strangers", kind, len(others), Resampling(patients, RESAMPLES).measure(figures))


def kept_out(of: Of, name: str, scores: Floats, patients: Sequence[str], limit: float) -> GateCheck:
    """The share of radiographs [N] that are kept out by mistake."""

    def figures(weights: Floats) -> dict[str, Floats]:
        return {"kept_out": metrics.mean(scores < limit, weights)}

    return GateCheck(of, name, len(scores), Resampling(patients, RESAMPLES).measure(figures))


def by_source(
    of: Of, scores: Floats, sources: Sequence[str], patients: Sequence[str], limit: float
) -> Iterator[GateCheck]:
    """`kept_out` of each source."""
    names, whose = np.asarray(sources), np.asarray(patients)
    for source in sorted(set(sources)):
        here = names == source
        yield kept_out(of, source, scores[here], whose[here].tolist(), limit)
