"""Curves of a report, for many weightings at once: weights [R, N] as in `evaluation.metrics` → [R, points]."""

from typing import Final

import numpy as np

from cxr.arrays import Floats, Ints, Mask, Scores
from evaluation import metrics

GRID: Final[Floats] = np.linspace(0.0, 1.0, 51)
"""The x values at which curves are sampled: false positive rates, recalls, coverages."""


def roc(score: Scores, positive: Mask, weights: Floats) -> Floats:
    """Sensitivity at the false positive rates of `GRID`, linear between thresholds, (0, 0) to (1, 1)."""
    hits, alarms = metrics.above_thresholds(score, positive, weights)
    sensitivity, fall_out = (metrics.ratio(part, part[:, -1:]) for part in (hits, alarms))
    curves = [np.interp(GRID, x, y) for x, y in zip(fall_out, sensitivity, strict=True)]
    return np.stack([np.where(GRID == 0, 0.0, curve) for curve in curves])


def precision_recall(score: Scores, positive: Mask, weights: Floats) -> Floats:
    """Precision at the highest threshold whose recall reaches each of `GRID`. Interpolation would overstate it."""
    hits, alarms = metrics.above_thresholds(score, positive, weights)
    precision = metrics.ratio(hits, hits + alarms)[:, 1:]
    recall = metrics.ratio(hits, hits[:, -1:])[:, 1:]
    last = recall.shape[1] - 1
    picked = [np.searchsorted(row, GRID - 1e-12).clip(max=last) for row in np.nan_to_num(recall, nan=np.inf)]
    return np.where(np.isnan(recall[:, :1]), np.nan, np.take_along_axis(precision, np.stack(picked), axis=1))


def risk_coverage(posterior: Floats, labels: Ints, weights: Floats) -> Floats:
    """Error rate at the coverages of `GRID` if only the most certain images are answered; NaN at coverage 0."""
    drawn, risk = _risk(posterior, labels, weights)
    covered = metrics.ratio(np.cumsum(drawn, axis=1), drawn.sum(axis=1, keepdims=True))
    at = np.stack([np.searchsorted(row, GRID - 1e-12) for row in covered]).clip(max=len(labels) - 1)
    return np.where(GRID == 0, np.nan, np.take_along_axis(risk, at, axis=1))


def aurc(posterior: Floats, labels: Ints, weights: Floats) -> Floats:
    """[R] area under the risk-coverage curve: the mean risk over coverages (Geifman & El-Yaniv 2017)."""
    drawn, risk = _risk(posterior, labels, weights)
    return metrics.ratio((np.nan_to_num(risk) * drawn).sum(axis=1), drawn.sum(axis=1))


def _risk(posterior: Floats, labels: Ints, weights: Floats) -> tuple[Floats, Floats]:
    """Weights, and the error rate among all images that are at least as certain, most certain first: [R, N]."""
    order = np.argsort(-posterior.max(axis=1), kind="stable")
    wrong = (posterior.argmax(axis=1) != labels)[order]
    drawn = weights[:, order]
    return drawn, metrics.ratio(np.cumsum(drawn * wrong, axis=1), np.cumsum(drawn, axis=1))


def reliability(posterior: Floats, labels: Ints, weights: Floats) -> dict[str, Floats]:
    """Mean confidence, accuracy and share of images for each bin of the calibration error, [R, bins] each."""
    confidence, correct = posterior.max(axis=1), posterior.argmax(axis=1) == labels
    bins = metrics.in_bins(confidence)
    count = weights @ bins
    return {
        "confidence": metrics.ratio(weights @ (bins * confidence[:, None]), count),
        "accuracy": metrics.ratio(weights @ (bins * correct[:, None]), count),
        "share": metrics.ratio(count, weights.sum(axis=1, keepdims=True)),
    }
