"""The scores of a perfectly calibrated model on the same number of images, as a reference for calibration and coverage.

On a finite number of images even a perfectly calibrated model has an ECE above 0 and a coverage that differs from its
target. Both intervals assume independent images; patients with several images make them a little too narrow.
"""

import math
from typing import Final

import numpy as np
from scipy.stats import betabinom

from cxr.arrays import Floats
from evaluation import metrics
from evaluation.bootstrap import BLOCK

SIMULATIONS: Final = 2000


def if_calibrated(posterior: Floats, simulations: int = SIMULATIONS, seed: int = 0) -> dict[str, Floats]:
    """ECE, Brier score, log loss and accuracy by bin if labels are drawn from the posteriors (Bröcker & Smith 2007).

    Args:
        posterior: [N, K].
        simulations: S, how often all N labels are drawn.
        seed: of the drawing.

    Returns:
        `ece`, `brier`, `log_loss` [S], and `accuracy` [S, bins], NaN in empty bins.
    """
    rng = np.random.default_rng(seed)
    starts = range(0, simulations, BLOCK)
    blocks = [_simulated(posterior, min(BLOCK, simulations - start), rng) for start in starts]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def _simulated(posterior: Floats, count: int, rng: np.random.Generator) -> dict[str, Floats]:
    images, labels = posterior.shape
    steps = posterior.cumsum(axis=1)[:, :-1]
    drawn = (rng.random((count, images, 1)) > steps).sum(axis=2)
    p = np.take_along_axis(np.broadcast_to(posterior, (count, images, labels)), drawn[:, :, None], axis=2)[:, :, 0]
    confidence, bins = posterior.max(axis=1), metrics.in_bins(posterior.max(axis=1))
    hits = (drawn == posterior.argmax(axis=1)) @ bins
    return {
        "ece": np.abs(hits - confidence @ bins).sum(axis=1) / images,
        "brier": ((posterior**2).sum(axis=1) - 2 * p + 1).mean(axis=1),
        "log_loss": -np.log(np.maximum(p, 1e-12)).mean(axis=1),
        "accuracy": metrics.ratio(hits, np.broadcast_to(bins.sum(axis=0), hits.shape)),
    }


def expected_coverage(calibrated_on: int, measured_on: int, coverage: float) -> tuple[float, float, float]:
    """Mean and 95 % interval of a conformal predictor's coverage of one label (Angelopoulos & Bates 2023, 3.2).

    With n calibration images the coverage is Beta(k, n + 1 - k) distributed, k = ⌈(n + 1) · coverage⌉, and the coverage
    observed on m images is beta-binomial.

    Args:
        calibrated_on: n.
        measured_on: m; NaN if there are none.
        coverage: the target, such as 0.9.
    """
    rank = math.ceil((calibrated_on + 1) * coverage)
    if not measured_on:
        return math.nan, math.nan, math.nan
    if rank > calibrated_on:  # too few for any guarantee: no label is ever ruled out
        return 1.0, 1.0, 1.0
    found = betabinom(measured_on, rank, calibrated_on + 1 - rank)
    return found.mean() / measured_on, found.ppf(0.025) / measured_on, found.ppf(0.975) / measured_on
