"""Logits of an ensemble's members → calibrated posterior → prediction set. numpy only.

Shapes: M members, N images, K = 3 labels. The same functions serve evaluation and service.
"""

from collections.abc import Callable, Mapping
from typing import Final, Literal, get_args

import numpy as np

from cxr.arrays import Floats, Scores
from cxr.labels import LABELS, Label

EnsembleRule = Literal["scpa", "scpa_eq2", "pm"]
ENSEMBLE_RULES: Final[tuple[EnsembleRule, ...]] = get_args(EnsembleRule)


def softmax(logits: Scores, temperature: float = 1.0) -> Floats:
    """Softmax over the last axis of logits / temperature, in float64.

    A temperature over 1 softens, under 1 sharpens (Guo et al. 2017).
    """
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True), dtype=np.float64)


def scpa(posteriors: Floats) -> Floats:
    """Softmax class posterior averaging: [M, N, K] → [N, K], the mean over members."""
    return np.asarray(posteriors.mean(axis=0), dtype=np.float64)


def scpa_eq2(posteriors: Floats) -> Floats:
    """Equation 2 of Karim et al. 2020 taken literally: a softmax over the members' summed posteriors.

    It ranks the labels as the mean does, but its probabilities are too low: a single certain member gives
    e/(e+2) = 0.576.
    """
    return softmax(posteriors.sum(axis=0))


def pm(posteriors: Floats) -> Floats:
    """Prediction maximization: for each image, the posterior of the member with the largest probability."""
    surest = posteriors.max(axis=-1).argmax(axis=0)
    return np.asarray(posteriors[surest, np.arange(posteriors.shape[1])], dtype=np.float64)


RULES: Final[dict[EnsembleRule, Callable[[Floats], Floats]]] = {"scpa": scpa, "scpa_eq2": scpa_eq2, "pm": pm}
"""Members' posteriors [M, N, K] → the ensemble's [N, K]."""


def combine(logits: Scores, temperature: float, rule: EnsembleRule) -> Floats:
    """Members' logits [M, N, K] → the ensemble's posterior [N, K]. The temperature is applied to each member first."""
    return RULES[rule](softmax(logits, temperature))


def prediction_set(posterior: Floats, thresholds: Mapping[Label, float]) -> tuple[Label, ...]:
    """The labels that a class-conditional conformal predictor cannot rule out for one image.

    Args:
        posterior: [K] probabilities.
        thresholds: by label, the largest non-conformity, 1 - p(label), at which the label stays in the set.

    Returns:
        Labels in the order of `LABELS`; empty if no label fits the image.
    """
    return tuple(label for label, p in zip(LABELS, posterior, strict=True) if 1.0 - float(p) <= thresholds[label])
