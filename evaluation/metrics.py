"""Metrics of scores against labels, for many weightings at once, as a bootstrap needs them.

Every function takes posteriors (or any scores) [N, K], labels [N] in 0..K-1 and weights [R, N]: how often each image
counts in each of R resamples. By default each image counts once, and R is 1. The result has one value per resample,
[R]. Sums over images are matrix products; sorting is done once for all resamples.
"""

from collections.abc import Sized
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import pearsonr, rankdata

from cxr.arrays import Floats, Ints, Mask, Scores
from cxr.labels import LABELS

ECE_BINS: Final = 15


def figures(posterior: Floats, labels: Ints) -> dict[str, float]:
    """All headline figures; those of a label are named `<label>_<figure>`. A ratio without a denominator is NaN."""
    found = discrimination(posterior, labels) | calibration(posterior, labels)
    return {name: float(values[0]) for name, values in found.items()}


def discrimination(posterior: Floats, labels: Ints, weights: Floats | None = None) -> dict[str, Floats]:
    """Metrics of discrimination, for each of R weightings [R, N].

    For each label PPV, recall (sensitivity), F1, specificity, NPV, AUROC and average precision. Then their macro means;
    a label without a value makes a mean NaN, except that of F1. Then micro averages over all pairs of image and label.
    With one label per image, micro PPV, recall and F1 equal the accuracy.
    """
    weights = once(labels) if weights is None else weights
    told = by_label(posterior, labels, weights)
    one_hot = labels[:, None] == np.arange(posterior.shape[1])
    columns = list(zip(posterior.T, one_hot.T, strict=True))
    told["auroc"] = np.stack([auroc(p, positive, weights) for p, positive in columns], axis=1)
    told["ap"] = np.stack([average_precision(p, positive, weights) for p, positive in columns], axis=1)
    found = {f"macro_{name}": values.mean(axis=1) for name, values in told.items()}
    found["macro_f1"] = macro_f1(posterior, labels, weights)
    found["accuracy"] = mean(posterior.argmax(axis=1) == labels, weights)
    pairs = posterior.ravel(), one_hot.ravel(), np.repeat(weights, posterior.shape[1], axis=1)
    found["micro_auroc"] = auroc(*pairs)
    found["micro_ap"] = average_precision(*pairs)
    for index, label in enumerate(LABELS):
        found |= {f"{label}_{name}": values[:, index] for name, values in told.items()}
    return found


def calibration(posterior: Floats, labels: Ints, weights: Floats | None = None) -> dict[str, Floats]:
    """Log loss, Brier score and expected calibration error, for each of R weightings [R, N]."""
    return {
        "log_loss": log_loss(posterior, labels, weights),
        "brier": brier(posterior, labels, weights),
        "ece": calibration_error(posterior, labels, weights),
    }


def confusion(scores: Scores, labels: Ints, weights: Floats | None = None) -> Floats:
    """[R, K, K] counts: rows the true label, columns the predicted one."""
    weights = once(labels) if weights is None else weights
    k = scores.shape[1]
    cells = labels * k + scores.argmax(axis=1)
    return np.asarray(weights @ np.eye(k * k)[cells]).reshape(-1, k, k)


def macro_f1(scores: Scores, labels: Ints, weights: Floats | None = None) -> Floats:
    """The unweighted mean of the labels' F1. A label that neither occurs nor is predicted counts 0."""
    return np.asarray(np.nan_to_num(by_label(scores, labels, weights)["f1"]).mean(axis=1))


def by_label(scores: Scores, labels: Ints, weights: Floats | None = None) -> dict[str, Floats]:
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


def mean(values: NDArray[np.number] | Mask, weights: Floats | None = None) -> Floats:
    """The weighted mean of [N] values; NaN if all weights are 0."""
    weights = once(values) if weights is None else weights
    return ratio(weights @ np.asarray(values, dtype=np.float64), weights.sum(axis=1))


def log_loss(posterior: Floats, labels: Ints, weights: Floats | None = None) -> Floats:
    """Mean of -ln p(true label), in nats."""
    return mean(-np.log(np.maximum(posterior[np.arange(len(labels)), labels], 1e-12)), weights)


def brier(posterior: Floats, labels: Ints, weights: Floats | None = None) -> Floats:
    """Mean squared distance to the one-hot label, summed over labels: 0 to 2 (Brier 1950)."""
    return mean(((posterior - np.eye(posterior.shape[1])[labels]) ** 2).sum(axis=1), weights)


def calibration_error(posterior: Floats, labels: Ints, weights: Floats | None = None) -> Floats:
    """Expected calibration error of the largest probability, 15 bins of equal width (Guo et al. 2017)."""
    weights = once(labels) if weights is None else weights
    confidence, correct = posterior.max(axis=1), posterior.argmax(axis=1) == labels
    gaps = weights @ (in_bins(confidence) * (confidence - correct)[:, None])
    return ratio(np.abs(gaps).sum(axis=1), weights.sum(axis=1))


def in_bins(confidence: Floats) -> Floats:
    """[N, 15] one-hot: the bin of equal width for a confidence in [0, 1], as used by the calibration error."""
    return np.asarray(np.eye(ECE_BINS)[np.minimum((confidence * ECE_BINS).astype(np.int64), ECE_BINS - 1)])


def auroc(score: Scores, positive: Mask, weights: Floats) -> Floats:
    """Area under the ROC curve of one score [N], ties count half; NaN if one of the two classes has no weight."""
    hits, alarms = above_thresholds(score, positive, weights)
    widths, heights = np.diff(alarms, axis=1), (hits[:, 1:] + hits[:, :-1]) / 2
    return ratio((widths * heights).sum(axis=1), hits[:, -1] * alarms[:, -1])


def average_precision(score: Scores, positive: Mask, weights: Floats) -> Floats:
    """Σ (R_n - R_(n-1)) P_n over descending thresholds, without interpolation; NaN without a positive."""
    hits, alarms = above_thresholds(score, positive, weights)
    precision = ratio(hits, hits + alarms, 0.0)
    return ratio((np.diff(hits, axis=1) * precision[:, 1:]).sum(axis=1), hits[:, -1])


def above_thresholds(score: Scores, positive: Mask, weights: Floats) -> tuple[Floats, Floats]:
    """Weights of positives and of negatives at or above each distinct score, descending: [R, 1 + distinct], from 0."""
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=np.inf))  # images with equal scores pass a threshold together
    both = []
    for chosen in (positive, ~positive):
        steps = np.add.reduceat(weights[:, order] * chosen[order], starts, axis=1)
        both.append(np.cumsum(np.pad(steps, ((0, 0), (1, 0))), axis=1))
    return both[0], both[1]


def ratio(numerator: Floats, denominator: Floats, empty: float = np.nan) -> Floats:
    """Elementwise quotient, `empty` where the denominator is 0."""
    safe = np.where(denominator > 0, denominator, 1.0)
    return np.where(denominator > 0, numerator / safe, empty)


def once(values: Sized) -> Floats:
    """[1, N] weights of 1."""
    return np.ones((1, len(values)))


def spearman(x: Scores, y: Scores) -> Floats:
    """Spearman's rank correlation along the last axis, [..., K] → [...]. Equal values share their mean rank.

    NaN if one of the two is constant.
    """
    varies = (np.ptp(x, axis=-1) > 0) & (np.ptp(y, axis=-1) > 0)
    found = np.full(varies.shape, np.nan)
    if varies.any():
        ranks = (rankdata(one[varies], axis=-1) for one in (x, y))
        found[varies] = pearsonr(*ranks, axis=-1).statistic
    return found
