"""Would other thresholds than "the largest probability" serve the headline better? Measured, and not used.

A macro mean counts a rare label like a frequent one, a calibrated posterior does not. Weighting it by label before the
largest is taken moves the operating point and leaves the probabilities calibrated. What that gains is measured on
patients who did not choose the weights.
"""

from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cxr.labels import LABELS
from cxr.model.posterior import Floats
from evaluation.bootstrap import interval, resample
from evaluation.figure import Figure
from evaluation.weighted import Ints, macro_f1
from study.study import Part
from study.tables import OperatingPoint

FOLDS: Final = 10
WEIGHTS: Final = np.array([(1.0, *pair) for pair in product(2.0 ** np.arange(-2, 4.25, 0.25), repeat=2)])
"""[G, K] candidates: how much each label's probability counts, that of normal being 1."""


def operating_point(part: Part, posterior: Floats, resamples: int, seed: int = 0) -> OperatingPoint:
    """The weights with the best macro-F1, and what they gain on patients that were left out of fitting them.

    Args:
        part: its images.
        posterior: [N, K] on them, calibrated.
        resamples: of the interval, by patient, with the weights of each fold as they are.
        seed: of resampling.
    """
    labels, folds = part.labels, _folds(part.patients)
    weighted = np.empty_like(posterior)
    for fold in range(FOLDS):
        out = folds == fold
        weighted[out] = posterior[out] * fit_weights(posterior[~out], labels[~out])
    drawn = resample(part.patients, resamples, np.random.default_rng(seed))
    counts = np.concatenate([np.ones((1, len(labels))), drawn])
    gain = macro_f1(weighted, labels, counts) - macro_f1(posterior, labels, counts)
    low, high = interval(gain[1:])
    best = fit_weights(posterior, labels)
    return OperatingPoint(
        weights=dict(zip(LABELS, best.tolist(), strict=True)),
        gain=Figure.of(float(gain[0]), float(low), float(high)),
    )


def fit_weights(posterior: Floats, labels: Ints) -> Floats:
    """[K] the candidate with the best macro-F1 on posteriors [N, K]; of equals the one nearest to none."""
    once = np.ones((1, len(labels)))
    merits = [float(macro_f1(posterior * one, labels, once)[0]) for one in WEIGHTS]
    near = -np.abs(np.log(WEIGHTS)).sum(axis=1)
    best = max(range(len(WEIGHTS)), key=lambda index: (merits[index], near[index]))
    return np.asarray(WEIGHTS[best])


def _folds(patients: list[str]) -> NDArray[np.int64]:
    """[N] a fold for each image; a patient's images share one."""
    _, member = np.unique(patients, return_inverse=True)
    return np.asarray(np.random.default_rng(0).permutation(member.max() + 1)[member] % FOLDS)
