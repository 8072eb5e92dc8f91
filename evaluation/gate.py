"""Metrics of a gate: the images that it rejects correctly and wrongly. Use scores of images outside its training."""

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
"""Share of radiographs that the threshold rejects; cross-fitted, with equal weight for each source."""


@dataclass(frozen=True, slots=True)
class GateCheck:
    """Figures of a gate on images of one kind.

    `of` gives the meaning of `name`. For a kind of images that must be rejected, the figures are `auroc` against
    unchanged radiographs and `let_in`, the share that passes. For a source of radiographs the figure is `kept_out`, the
    share that is rejected. Its images are those of patients outside the training data (`source`), of a source outside
    the training data (`left out`), or images that the data set has in addition to its splits (`elsewhere`).
    """

    of: Of
    name: str
    images: int
    figures: dict[str, Figure]


def threshold(scores: Floats, sources: Sequence[str]) -> float:
    """The score that a share `KEPT_OUT` of the radiographs is below, with equal weight for each source.

    Args:
        scores: [N] the gate's scores of radiographs outside the training data.
        sources: [N] their sources.
    """
    names, places, counts = np.unique(np.asarray(sources), return_inverse=True, return_counts=True)
    weights = 1 / (counts[places] * len(names))
    order = np.argsort(scores)
    return float(scores[order][np.searchsorted(np.cumsum(weights[order]), KEPT_OUT)])


def strangers(kind: str, known: Floats, others: Floats, patients: Sequence[str], limit: float) -> GateCheck:
    """How well scores separate other images [M] from known radiographs [N].

    Args:
        kind: the name of the kind of other images.
        known: [N] scores of known radiographs.
        others: [M] scores of other images.
        patients: [N + M] the patient of each image, or of the image that it was made from.
        limit: images with a lower score are rejected.
    """
    is_known = np.repeat([True, False], [len(known), len(others)])
    both = np.concatenate([known, others])

    def figures(weights: Floats) -> dict[str, Floats]:
        let_in = metrics.mean(others >= limit, weights[:, ~is_known])
        return {"auroc": metrics.auroc(both, is_known, weights), "let_in": let_in}

    return GateCheck("strangers", kind, len(others), Resampling(patients, RESAMPLES).measure(figures))


def kept_out(of: Of, name: str, scores: Floats, patients: Sequence[str], limit: float) -> GateCheck:
    """The share of radiographs [N] that are wrongly rejected."""

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
