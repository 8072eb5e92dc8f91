"""Curves against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn import metrics as reference

from cxr.model.posterior import softmax
from evaluation import curves
from evaluation.curves import GRID

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 3, 80)
POSTERIOR = softmax((RNG.normal(size=(80, 3)) + np.eye(3)[LABELS]).round(1))
ONCE = np.ones((1, 80))


def test_roc_is_scikit_learns() -> None:
    positive, score = LABELS == 1, POSTERIOR[:, 1]
    x, y, _ = reference.roc_curve(positive, score, drop_intermediate=False)
    found = curves.roc(score, positive, ONCE)[0]
    assert found[1:] == pytest.approx(np.interp(GRID, x, y)[1:])
    assert found[0] == 0


def test_precision_is_that_of_the_threshold_that_reaches_the_recall() -> None:
    positive, score = LABELS == 2, POSTERIOR[:, 2]
    found = curves.precision_recall(score, positive, ONCE)[0]
    for recall, precision in zip(GRID, found, strict=True):
        reached = [t for t in np.unique(score) if (score[positive] >= t).mean() >= recall - 1e-12]
        highest = max(reached) if recall else score.max()
        assert precision == pytest.approx(positive[score >= highest].mean()), recall


def test_without_a_positive_there_is_no_curve() -> None:
    nothing = np.zeros(80, dtype=bool)
    assert np.isnan(curves.precision_recall(POSTERIOR[:, 0], nothing, ONCE)).all()
    assert np.isnan(curves.roc(POSTERIOR[:, 0], nothing, ONCE)[0, 1:]).all()


def test_risk_is_the_error_rate_of_the_most_certain() -> None:
    found = curves.risk_coverage(POSTERIOR, LABELS, ONCE)[0]
    order = np.argsort(-POSTERIOR.max(axis=1), kind="stable")
    wrong = (POSTERIOR.argmax(axis=1) != LABELS)[order]
    assert np.isnan(found[0])
    assert found[-1] == pytest.approx(wrong.mean())
    assert found[25] == pytest.approx(wrong[:40].mean())
    risks = [wrong[: count + 1].mean() for count in range(80)]
    assert curves.aurc(POSTERIOR, LABELS, ONCE)[0] == pytest.approx(np.mean(risks))


def test_curves_of_weights_are_those_of_repeated_images() -> None:
    times = RNG.integers(0, 3, 80)
    weights = times[None].astype(np.float64)
    repeated, labels = POSTERIOR.repeat(times, axis=0), LABELS.repeat(times)
    once = np.ones((1, len(labels)))
    for curve in (curves.roc, curves.precision_recall):
        weighted = curve(POSTERIOR[:, 0], LABELS == 0, weights)
        assert weighted == pytest.approx(curve(repeated[:, 0], labels == 0, once))
    weighted = curves.risk_coverage(POSTERIOR, LABELS, weights)[0, -1]
    assert weighted == pytest.approx(curves.risk_coverage(repeated, labels, once)[0, -1])


def test_reliability_adds_up_to_the_calibration_error() -> None:
    found = {name: values[0] for name, values in curves.reliability(POSTERIOR, LABELS, ONCE).items()}
    filled = found["share"] > 0
    gaps = np.abs(found["confidence"] - found["accuracy"])[filled]
    by_hand = (gaps * found["share"][filled]).sum()
    assert by_hand == pytest.approx(_calibration_error())
    assert np.isnan(found["accuracy"][~filled]).all()


def _calibration_error() -> float:
    confidence, correct = POSTERIOR.max(axis=1), POSTERIOR.argmax(axis=1) == LABELS
    edges = np.linspace(0, 1, 16)
    which = np.digitize(confidence, edges[1:-1])
    return float(sum(abs((confidence - correct)[which == b].sum()) for b in range(15)) / 80)
