"""The patient-clustered bootstrap of `evaluation.bootstrap` for many tables at once.

What a resample makes of a prediction is linear in how often each image counts. So one matrix of counts, drawn once,
serves every row of every table.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cxr.labels import LABELS
from evaluation.bootstrap import RESAMPLES, interval, resample
from evaluation.figure import Figure
from study.tables import Scores

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Resampling:
    """Resamples of some images by patient, the same for every figure asked of it.

    Args:
        labels: [N] indices into `LABELS`.
        patients: [N] the patient of each image.
        resamples: how many samples R to draw.
        seed: of the draw.
    """

    def __init__(self, labels: Ints, patients: Sequence[str], resamples: int = RESAMPLES, seed: int = 0) -> None:
        self.labels = labels
        self.patients = len(set(patients))
        self.resamples = resamples
        self._counts = _counts(patients, resamples, seed)

    def confusions(self, predicted: Ints) -> Floats:
        """[1 + R, K, K] counts, rows true and columns predicted labels: of the images themselves, then resampled."""
        k = len(LABELS)
        cells = np.eye(k * k, dtype=np.float32)[self.labels * k + predicted]
        return np.asarray((self._counts @ cells).reshape(-1, k, k), dtype=np.float64)

    def mean(self, values: Floats) -> Figure:
        """The mean of a value an image, with its interval."""
        sums = self._counts @ values.astype(np.float32)
        return _figures((sums / self._counts.sum(axis=1))[np.newaxis])[0]

    def scores(self, confusions: Floats) -> tuple[Scores, list[Scores], Figure]:
        """Macro scores, each label's, and accuracy from `confusions`.

        As in `evaluation.metrics.figures`: of a label, a ratio without a denominator is no figure; in a macro mean it
        counts 0.
        """
        hits = confusions.diagonal(axis1=1, axis2=2)
        true, predicted = confusions.sum(axis=2), confusions.sum(axis=1)
        ratios = np.stack([_ratio(hits, predicted), _ratio(hits, true), _ratio(2 * hits, true + predicted)])
        macro = np.nan_to_num(ratios).mean(axis=2)
        accuracy = hits.sum(axis=1) / confusions.sum(axis=(1, 2))
        by_label = ratios.transpose(2, 0, 1).reshape(-1, len(accuracy))
        found = _figures(np.concatenate([macro, by_label, accuracy[np.newaxis]]))
        triples = [Scores(*found[i : i + 3]) for i in range(0, len(found) - 1, 3)]
        return triples[0], triples[1:], found[-1]


def _counts(patients: Sequence[str], resamples: int, seed: int) -> NDArray[np.float32]:
    """[1 + R, N] how often each image counts; row 0 is of ones."""
    drawn = resample(patients, resamples, np.random.default_rng(seed))
    return np.concatenate([np.ones((1, len(patients))), drawn]).astype(np.float32)


def _figures(values: Floats) -> list[Figure]:
    """[F, 1 + R] → a figure a row; resamples in which it is NaN do not count."""
    return list(map(Figure.of, values[:, 0], *interval(values[:, 1:].T)))


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    return np.where(denominator > 0, numerator / np.maximum(denominator, 1e-9), np.nan)
