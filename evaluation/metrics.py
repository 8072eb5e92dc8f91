"""Figures of merit of posteriors against labels, each image counting once.

Every function takes posteriors [N, K] and labels [N] in 0..K-1. `evaluation.weighted` defines the figures.
"""

import numpy as np
from numpy.typing import NDArray

from cxr.labels import LABELS
from cxr.model.posterior import Floats, softmax
from evaluation import weighted
from evaluation.weighted import Ints

Figures = dict[str, float]


def confusion(posterior: NDArray[np.floating], labels: Ints) -> NDArray[np.int64]:
    """[K, K] counts: rows the true label, columns the predicted one."""
    return np.asarray(weighted.confusion(posterior, labels, _once(labels))[0].round().astype(np.int64))


def macro_f1(scores: NDArray[np.floating], labels: Ints) -> float:
    """The unweighted mean of the labels' F1; a label that never occurs nor is predicted counts 0."""
    return float(weighted.macro_f1(scores, labels, _once(labels))[0])


def negative_log_likelihood(logits: NDArray[np.floating], labels: Ints) -> float:
    """Mean of -ln p(true label), in nats, of uncalibrated logits."""
    return log_loss(softmax(logits), labels)


def log_loss(posterior: Floats, labels: Ints) -> float:
    """Mean of -ln p(true label), in nats."""
    return float(weighted.log_loss(posterior, labels, _once(labels))[0])


def figures(posterior: Floats, labels: Ints) -> Figures:
    """All headline figures; those of a label are named `<label>_<figure>`. A ratio without a denominator is NaN."""
    weights = _once(labels)
    found = discrimination(posterior, labels, weights) | calibration(posterior, labels, weights)
    return {name: float(values[0]) for name, values in found.items()}


def discrimination(posterior: Floats, labels: Ints, weights: Floats) -> dict[str, Floats]:
    """Figures of how well labels are told apart, for each of R weightings [R, N].

    For each label PPV, recall (sensitivity), F1, specificity, NPV, AUROC and average precision; their macro means,
    where a label without a value makes the mean NaN, save that of F1; and micro averages over all pairs of image and
    label. With one label an image, micro PPV, recall and F1 are the accuracy.
    """
    told = weighted.by_label(posterior, labels, weights)
    one_hot = labels[:, None] == np.arange(posterior.shape[1])
    columns = list(zip(posterior.T, one_hot.T, strict=True))
    told["auroc"] = np.stack([weighted.auroc(p, positive, weights) for p, positive in columns], axis=1)
    told["ap"] = np.stack([weighted.average_precision(p, positive, weights) for p, positive in columns], axis=1)
    found = {f"macro_{name}": values.mean(axis=1) for name, values in told.items()}
    found["macro_f1"] = weighted.macro_f1(posterior, labels, weights)
    found["accuracy"] = weighted.mean(posterior.argmax(axis=1) == labels, weights)
    pairs = posterior.ravel(), one_hot.ravel(), np.repeat(weights, posterior.shape[1], axis=1)
    found["micro_auroc"] = weighted.auroc(*pairs)
    found["micro_ap"] = weighted.average_precision(*pairs)
    for index, label in enumerate(LABELS):
        found |= {f"{label}_{name}": values[:, index] for name, values in told.items()}
    return found


def calibration(posterior: Floats, labels: Ints, weights: Floats) -> dict[str, Floats]:
    """Log loss, Brier score and expected calibration error, for each of R weightings [R, N]."""
    return {
        "log_loss": weighted.log_loss(posterior, labels, weights),
        "brier": weighted.brier(posterior, labels, weights),
        "ece": weighted.calibration_error(posterior, labels, weights),
    }


def _once(labels: Ints) -> Floats:
    return np.ones((1, len(labels)))
