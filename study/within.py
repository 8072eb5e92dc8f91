"""Discrimination within one source: its images come from the same machines, so recognising the source does not help."""

from collections.abc import Sequence

import numpy as np

from cxr.arrays import Floats, Mask
from cxr.labels import LABELS
from evaluation import metrics
from evaluation.bootstrap import Resampling
from evaluation.figure import Figure
from study.travel import QUESTIONS, between
from training.data import Row, labels_of


def within_sources(posterior: Floats, rows: Sequence[Row], resampling: Resampling) -> dict[str, Figure]:
    """AUC of one label against another within each source that has both (`study.travel.QUESTIONS`).

    A network that recognises only sources has 0.5 here.

    Args:
        posterior: [N, 3].
        rows: the table's rows of the N images.
        resampling: resamples of their patients.
    """
    sources, labels = np.array([row.source for row in rows]), labels_of(rows)
    asked: dict[str, tuple[Floats, Mask, Mask]] = {}
    for source, (positive, negative) in QUESTIONS.items():
        pair = [LABELS.index(positive), LABELS.index(negative)]
        here = (sources == source) & np.isin(labels, pair)
        if set(labels[here]) == set(pair):
            asked[source] = (between(posterior, positive, negative)[here], labels[here] == pair[0], here)

    def aurocs(weights: Floats) -> dict[str, Floats]:
        return {
            source: metrics.auroc(score, positive, weights[:, here])
            for source, (score, positive, here) in asked.items()
        }

    return resampling.measure(aurocs) if asked else {}
