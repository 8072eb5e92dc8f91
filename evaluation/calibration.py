"""Temperature and conformal thresholds, to be fitted on images that were not used for selection."""

import math

import numpy as np
from scipy.optimize import minimize_scalar

from cxr.arrays import Floats, Ints, Scores
from cxr.labels import LABELS, Label
from cxr.model.posterior import EnsembleRule, combine
from evaluation.metrics import log_loss


def fit_temperature(logits: Scores, labels: Ints, rule: EnsembleRule) -> float:
    """The temperature that minimises the ensemble's log loss (Guo et al. 2017).

    Args:
        logits: [M, N, 3], of M members for N images.
        labels: [N] indices into `LABELS`.
        rule: how the members are combined after calibration.

    Returns:
        A temperature between 0.05 and 20.
    """

    def loss(log_temperature: float) -> float:
        return float(log_loss(combine(logits, math.exp(log_temperature), rule), labels)[0])

    return math.exp(minimize_scalar(loss, bounds=(math.log(0.05), math.log(20)), method="bounded").x)


def calibrated_log_loss(logits: Scores, labels: Ints, rule: EnsembleRule) -> float:
    """The log loss in nats at the temperature that minimises it on the same images. Arguments: `fit_temperature`."""
    return float(log_loss(combine(logits, fit_temperature(logits, labels, rule), rule), labels)[0])


def fit_thresholds(posterior: Floats, labels: Ints, coverage: float) -> dict[Label, float]:
    """Class-conditional split conformal thresholds on 1 - p(label) (Vovk 2012; Sadinle et al. 2019).

    For a label with n calibration images this is their ⌈(n + 1) · coverage⌉-th smallest non-conformity, so that a
    new image of the label keeps it in its prediction set with at least that probability. With too few images for
    any guarantee the threshold is 1: the label is never ruled out.
    """
    return {label: _quantile(1.0 - posterior[labels == index, index], coverage) for index, label in enumerate(LABELS)}


def _quantile(scores: Floats, coverage: float) -> float:
    rank = math.ceil((len(scores) + 1) * coverage)
    return 1.0 if rank > len(scores) else float(np.sort(scores)[rank - 1])
