"""Figures of merit of posteriors against labels.

Every function takes posteriors [N, K], labels [N] in 0..K-1 and, where it says so, weights [N]: how often each
image counts, which is what a bootstrap resample comes down to.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from cxr.labels import LABELS
from cxr.posterior import softmax

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Figures = dict[str, float]

ECE_BINS: Final = 15


def confusion(posterior: NDArray[np.floating], labels: Ints, weights: Floats | None = None) -> Floats:
    """[K, K] counts: rows the true label, columns the predicted one."""
    k = posterior.shape[1]
    cells = labels * k + posterior.argmax(axis=1)
    return np.bincount(cells, weights, minlength=k * k).reshape(k, k).astype(np.float64)


def macro_f1(scores: NDArray[np.floating], labels: Ints, weights: Floats | None = None) -> float:
    """The unweighted mean of the labels' F1; a label that never occurs nor is predicted counts 0."""
    table = confusion(scores, labels, weights)
    return float(np.mean(_ratio(2 * table.diagonal(), table.sum(axis=0) + table.sum(axis=1))))


def negative_log_likelihood(logits: NDArray[np.floating], labels: Ints) -> float:
    """Mean of -ln p(true label), in nats, of uncalibrated logits."""
    return log_loss(softmax(logits), labels)


def log_loss(posterior: Floats, labels: Ints, weights: Floats | None = None) -> float:
    """Mean of -ln p(true label), in nats."""
    p = posterior[np.arange(len(labels)), labels]
    return float(np.average(-np.log(np.maximum(p, 1e-12)), weights=weights))


def brier(posterior: Floats, labels: Ints, weights: Floats | None = None) -> float:
    """Mean squared distance to the one-hot label, summed over labels: 0 to 2 (Brier 1950)."""
    distance = ((posterior - np.eye(posterior.shape[1])[labels]) ** 2).sum(axis=1)
    return float(np.average(distance, weights=weights))


def calibration_error(posterior: Floats, labels: Ints, weights: Floats | None = None) -> float:
    """Expected calibration error of the largest probability, 15 bins of equal width (Guo et al. 2017)."""
    weight = np.ones(len(labels)) if weights is None else weights
    confidence, correct = posterior.max(axis=1), posterior.argmax(axis=1) == labels
    bins = np.minimum((confidence * ECE_BINS).astype(np.int64), ECE_BINS - 1)
    gaps = np.bincount(bins, weight * (confidence - correct), minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / weight.sum())


def auroc(posterior: Floats, labels: Ints, label: int, weights: Floats | None = None) -> float:
    """Area under the ROC curve of one label against the rest; NaN when only one of the two is there."""
    positive = labels == label
    if weights is not None:
        positive, posterior, weights = positive[weights > 0], posterior[weights > 0], weights[weights > 0]
    if positive.all() or not positive.any():
        return float("nan")
    return float(roc_auc_score(positive, posterior[:, label], sample_weight=weights))


def figures(posterior: Floats, labels: Ints, weights: Floats | None = None) -> Figures:
    """All headline figures; those of a label are named `<label>_<figure>`. A ratio without a denominator is NaN."""
    table = confusion(posterior, labels, weights)
    hits, true, predicted = table.diagonal(), table.sum(axis=1), table.sum(axis=0)
    total = table.sum()
    by_label: dict[str, Floats] = {
        "ppv": _ratio(hits, predicted, np.nan),
        "recall": _ratio(hits, true, np.nan),
        "f1": _ratio(2 * hits, true + predicted, np.nan),
        "specificity": _ratio(total - true - predicted + hits, total - true, np.nan),
        "npv": _ratio(total - true - predicted + hits, total - predicted, np.nan),
    }
    result = {
        "macro_f1": macro_f1(posterior, labels, weights),
        "accuracy": float(hits.sum() / total),
        "log_loss": log_loss(posterior, labels, weights),
        "brier": brier(posterior, labels, weights),
        "ece": calibration_error(posterior, labels, weights),
    }
    for index, label in enumerate(LABELS):
        result |= {f"{label}_{name}": float(values[index]) for name, values in by_label.items()}
        result[f"{label}_auroc"] = auroc(posterior, labels, index, weights)
    return result


def bootstrap(
    figure: Callable[[Floats], Figures], groups: list[str], resamples: int = 2000, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """95 % percentile intervals by resampling patients, not images, with replacement.

    Args:
        figure: weights [N] → figures.
        groups: [N] the patient of each image.
        resamples: number of bootstrap samples.
        seed: of the resampling.

    Returns:
        For each figure (low, high). Resamples in which a figure is NaN do not count for it.
    """
    _, member = np.unique(groups, return_inverse=True)
    count = int(member.max()) + 1
    rng = np.random.default_rng(seed)
    draws = [
        figure(np.bincount(rng.integers(count, size=count), minlength=count)[member].astype(np.float64))
        for _ in range(resamples)
    ]
    return {name: _interval(np.array([draw[name] for draw in draws])) for name in draws[0]}


def _interval(values: Floats) -> tuple[float, float]:
    if np.isnan(values).all():
        return float("nan"), float("nan")
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def _ratio(numerator: Floats, denominator: Floats, empty: float = 0.0) -> Floats:
    safe = np.where(denominator > 0, denominator, 1.0)
    return np.where(denominator > 0, numerator / safe, empty)
