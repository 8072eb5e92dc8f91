"""Figures of merit under many weightings at once, which is what a bootstrap comes down to.

Every function takes posteriors (or any scores) [N, K], labels [N] in 0..K-1 and weights [R, N]: how often each image
counts in each of R resamples. It returns one figure a resample, [R]. Whatever is a sum over images is a product of
matrices; what needs an order is sorted once for all resamples.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cxr.model.posterior import Floats

Ints = NDArray[np.int64]
Scores = NDArray[np.floating]

ECE_BINS: Final = 15


def confusion(scores: Scores, labels: Ints, weights: Floats) -> Floats:
    """[R, K, K] counts: rows the true label, columns the predicted one."""
    k = scores.shape[1]
    cells = labels * k + scores.argmax(axis=1)
    return np.asarray(weights @ np.eye(k * k)[cells]).reshape(-1, k, k)


def macro_f1(scores: Scores, labels: Ints, weights: Floats) -> Floats:
    """The unweighted mean of the labels' F1; a label that never occurs nor is predicted counts 0."""
    table = confusion(scores, labels, weights)
    hits, marginals = np.diagonal(table, axis1=1, axis2=2), table.sum(axis=1) + table.sum(axis=2)
    return np.asarray(ratio(2 * hits, marginals, 0.0).mean(axis=1))


def by_label(scores: Scores, labels: Ints, weights: Floats) -> dict[str, Floats]:
    """PPV, recall, F1, specificity and NPV of each label against the rest, [R, K] each; NaN without a denominator."""
    table = confusion(scores, labels, weights)
    hits, true, predicted = np.diagonal(table, axis1=1, axis2=2), table.sum(axis=2), table.sum(axis=1)
    total = table.sum(axis=(1, 2))[:, None]
    rejected = total - true - predicted + hits
    return {
        "ppv": ratio(hits, predicted),
        "recall": ratio(hits, true),
        "f1": ratio(2 * hits, true + predicted),
        "specificity": ratio(rejected, total - true),
        "npv": ratio(rejected, total - predicted),
    }


def mean(values: NDArray[np.number] | NDArray[np.bool_], weights: Floats) -> Floats:
    """The weighted mean of [N] values; NaN where nothing has weight."""
    return ratio(weights @ np.asarray(values, dtype=np.float64), weights.sum(axis=1))


def log_loss(posterior: Floats, labels: Ints, weights: Floats) -> Floats:
    """Mean of -ln p(true label), in nats."""
    return mean(-np.log(np.maximum(posterior[np.arange(len(labels)), labels], 1e-12)), weights)


def brier(posterior: Floats, labels: Ints, weights: Floats) -> Floats:
    """Mean squared distance to the one-hot label, summed over labels: 0 to 2 (Brier 1950)."""
    return mean(((posterior - np.eye(posterior.shape[1])[labels]) ** 2).sum(axis=1), weights)


def calibration_error(posterior: Floats, labels: Ints, weights: Floats) -> Floats:
    """Expected calibration error of the largest probability, 15 bins of equal width (Guo et al. 2017)."""
    confidence, correct = posterior.max(axis=1), posterior.argmax(axis=1) == labels
    gaps = weights @ (in_bins(confidence) * (confidence - correct)[:, None])
    return ratio(np.abs(gaps).sum(axis=1), weights.sum(axis=1))


def in_bins(confidence: Floats) -> Floats:
    """[N, 15] one-hot: the bin of equal width, of a confidence in [0, 1], that the calibration error puts it in."""
    return np.asarray(np.eye(ECE_BINS)[np.minimum((confidence * ECE_BINS).astype(np.int64), ECE_BINS - 1)])


def auroc(score: Scores, positive: NDArray[np.bool_], weights: Floats) -> Floats:
    """Area under the ROC curve of one score [N], ties counted half; NaN where one of two classes has no weight."""
    hits, alarms = above_thresholds(score, positive, weights)
    widths, heights = np.diff(alarms, axis=1), (hits[:, 1:] + hits[:, :-1]) / 2
    return ratio((widths * heights).sum(axis=1), hits[:, -1] * alarms[:, -1])


def average_precision(score: Scores, positive: NDArray[np.bool_], weights: Floats) -> Floats:
    """Σ (R_n - R_(n-1)) P_n over descending thresholds, without interpolation; NaN without a positive."""
    hits, alarms = above_thresholds(score, positive, weights)
    precision = ratio(hits, hits + alarms, 0.0)
    return ratio((np.diff(hits, axis=1) * precision[:, 1:]).sum(axis=1), hits[:, -1])


def above_thresholds(score: Scores, positive: NDArray[np.bool_], weights: Floats) -> tuple[Floats, Floats]:
    """Weights of positives and of negatives at or above each distinct score, descending: [R, 1 + distinct], from 0."""
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=np.inf))  # images of one score pass a threshold together
    both = []
    for chosen in (positive, ~positive):
        steps = np.add.reduceat(weights[:, order] * chosen[order], starts, axis=1)
        both.append(np.cumsum(np.pad(steps, ((0, 0), (1, 0))), axis=1))
    return both[0], both[1]


def ratio(numerator: Floats, denominator: Floats, empty: float = np.nan) -> Floats:
    """Element by element, with `empty` where there is nothing to divide by."""
    safe = np.where(denominator > 0, denominator, 1.0)
    return np.where(denominator > 0, numerator / safe, empty)
