"""Temperature and thresholds, on posteriors whose labels are drawn from them."""

import numpy as np
import pytest

from cxr.arrays import Floats, Ints
from cxr.labels import LABELS
from cxr.model.posterior import ENSEMBLE_RULES, EnsembleRule, combine, softmax
from evaluation.calibration import fit_temperature, fit_thresholds
from evaluation.metrics import figures, log_loss


def drawn(count: int, seed: int) -> tuple[Floats, Ints]:
    """Logits [N, 3], and labels that follow their softmax."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (count, 3))
    labels = (rng.random((count, 1)) > softmax(logits).cumsum(axis=1)).sum(axis=1)
    return logits, labels


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_that_scaled_the_logits_is_found(temperature: float) -> None:
    logits, labels = drawn(20_000, 0)
    fitted = fit_temperature(logits[np.newaxis] * temperature, labels, "scpa")
    assert fitted == pytest.approx(temperature, rel=0.05)
    assert figures(softmax(logits * temperature, fitted), labels)["ece"] < 0.02


@pytest.mark.parametrize("rule", ENSEMBLE_RULES)
def test_no_temperature_nearby_is_better(rule: EnsembleRule) -> None:
    logits, labels = drawn(2_000, 1)
    members = np.stack([logits * 2.5, logits + np.random.default_rng(2).normal(0, 1, logits.shape)])
    fitted = fit_temperature(members, labels, rule)
    best = log_loss(combine(members, fitted, rule), labels)
    assert all(best <= log_loss(combine(members, fitted * factor, rule), labels) for factor in (0.8, 0.95, 1.05, 1.2))


def test_each_label_reaches_its_coverage_on_new_images() -> None:
    logits, labels = drawn(3_000, 3)
    thresholds = fit_thresholds(softmax(logits), labels, 0.9)
    logits, labels = drawn(30_000, 4)
    posterior = softmax(logits)
    for index, label in enumerate(LABELS):
        kept = 1.0 - posterior[labels == index, index] <= thresholds[label]
        assert kept.mean() == pytest.approx(0.9, abs=0.03)


def test_the_threshold_is_the_conformal_rank() -> None:
    posterior = np.column_stack([1 - np.arange(1, 20) / 100, np.arange(1, 20) / 200, np.arange(1, 20) / 200])
    thresholds = fit_thresholds(posterior, np.zeros(19, dtype=np.int64), 0.9)
    assert thresholds["normal"] == pytest.approx(0.18)  # the 18th of 19: ceil(20 * 0.9)
    assert thresholds["pneumonia"] == 1.0  # a label without images is never ruled out
