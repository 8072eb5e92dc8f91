"""The reference intervals contain a calibrated model as often as stated, and exclude others."""

import numpy as np
import pytest

from cxr.model.posterior import softmax
from evaluation import metrics
from evaluation.bootstrap import interval
from evaluation.consistency import expected_coverage, if_calibrated


def test_a_calibrated_model_lies_in_the_interval_nineteen_times_of_twenty() -> None:
    rng = np.random.default_rng(0)
    inside = {"ece": 0, "brier": 0, "log_loss": 0}
    for seed in range(100):
        posterior = softmax(rng.normal(0, 2, (150, 3)))
        labels = (rng.random((150, 1)) > posterior.cumsum(axis=1)).sum(axis=1)
        drawn, found = if_calibrated(posterior, simulations=300, seed=seed), metrics.figures(posterior, labels)
        for name in inside:
            low, high = interval(drawn[name])
            inside[name] += bool(low <= found[name] <= high)
    assert all(88 <= count <= 100 for count in inside.values()), inside


def test_an_overconfident_model_lies_outside() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, (1000, 3))
    labels = (rng.random((1000, 1)) > softmax(logits).cumsum(axis=1)).sum(axis=1)
    _, high = interval(if_calibrated(softmax(3 * logits), simulations=200)["ece"])
    assert metrics.figures(softmax(3 * logits), labels)["ece"] > 2 * high


def test_certainty_is_never_wrong_and_bins_may_be_empty() -> None:
    drawn = if_calibrated(np.eye(3)[[0, 1, 2, 2]], simulations=10)
    assert (drawn["ece"] == 0).all()
    assert (drawn["accuracy"][:, -1] == 1).all()
    assert np.isnan(drawn["accuracy"][:, :-1]).all()


def test_expected_coverage_is_what_simulated_conformal_predictors_do() -> None:
    rng = np.random.default_rng(2)
    covered = []
    for _ in range(4000):
        threshold = np.sort(rng.random(60))[int(np.ceil(61 * 0.9)) - 1]
        covered.append((rng.random(80) <= threshold).mean())
    mean, low, high = expected_coverage(60, 80, 0.9)
    assert mean == pytest.approx(np.mean(covered), abs=0.005)
    assert (low, high) == pytest.approx(np.percentile(covered, [2.5, 97.5]), abs=0.0126)


def test_too_few_images_give_no_guarantee_and_no_interval() -> None:
    assert expected_coverage(8, 50, 0.9) == (1.0, 1.0, 1.0)
    assert np.isnan(expected_coverage(60, 0, 0.9)).all()
