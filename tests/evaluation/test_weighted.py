"""Figures under many weightings are the figures of the repeated images, and scikit-learn's curves."""

import numpy as np
import pytest
from sklearn import metrics as reference

from cxr.model.posterior import Floats, softmax
from evaluation import metrics, weighted

N = 60


@pytest.fixture(scope="module")
def posterior() -> Floats:
    return softmax(np.random.default_rng(0).normal(size=(N, 3)).round(1))


@pytest.fixture(scope="module")
def weights() -> Floats:
    """Five resamples, zeros among the weights."""
    rng = np.random.default_rng(1)
    return np.stack([np.bincount(rng.integers(N, size=N), minlength=N) for _ in range(5)]).astype(np.float64)


LABELS = np.random.default_rng(2).integers(0, 3, N)


def test_weights_are_how_often_an_image_counts(posterior: Floats, weights: Floats) -> None:
    said = metrics.discrimination(posterior, LABELS, weights) | metrics.calibration(posterior, LABELS, weights)
    for row, times in enumerate(weights.astype(np.int64)):
        repeated = metrics.figures(posterior.repeat(times, axis=0), LABELS.repeat(times))
        assert {name: values[row] for name, values in said.items()} == pytest.approx(repeated, rel=1e-9)


def test_thresholds_pass_ties_together() -> None:
    score, positive = np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False])
    hits, alarms = weighted.above_thresholds(score, positive, np.array([[1.0, 1.0, 2.0, 1.0]]))
    assert hits.tolist() == [[0, 1, 2, 2]]
    assert alarms.tolist() == [[0, 0, 2, 3]]
    assert weighted.auroc(score, positive, np.ones((1, 4))) == pytest.approx(reference.roc_auc_score(positive, score))


def test_a_resample_without_one_of_two_classes_has_no_auroc(posterior: Floats) -> None:
    positive = LABELS == 1
    without, with_ = (~positive).astype(np.float64), np.ones(N)
    found = weighted.auroc(posterior[:, 1], positive, np.stack([without, with_]))
    assert np.isnan(found).tolist() == [True, False]
    found = weighted.average_precision(posterior[:, 1], positive, np.stack([without, with_]))
    assert np.isnan(found).tolist() == [True, False]


def test_bins_are_of_equal_width_and_hold_certainty() -> None:
    bins = weighted.in_bins(np.array([0.0, 1 / 15 - 1e-9, 1 / 15 + 1e-9, 1.0]))
    assert bins.argmax(axis=1).tolist() == [0, 0, 1, 14]
    assert bins.sum() == 4
