"""The headline figures against scikit-learn and by hand."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn import metrics as reference

from cxr.arrays import Floats
from cxr.labels import LABELS
from cxr.model.posterior import softmax
from evaluation import metrics
from evaluation.metrics import figures

N = 200


@pytest.fixture(params=[0, 1, 2])
def case(request: pytest.FixtureRequest) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Posteriors that are mostly right and sometimes tie, labels, and bootstrap weights with zeros."""
    rng = np.random.default_rng(request.param)
    labels = rng.choice(3, N, p=[0.6, 0.3, 0.1])
    posterior = softmax((rng.normal(size=(N, 3)) + 1.2 * np.eye(3)[labels]).round(1))
    return posterior, labels, np.bincount(rng.integers(N, size=N), minlength=N).astype(np.float64)


@pytest.mark.parametrize("is_weighted", [False, True])
def test_figures_are_scikit_learns(case: tuple[Floats, NDArray[np.int64], Floats], is_weighted: bool) -> None:
    posterior, labels, drawn = case
    weights = drawn if is_weighted else np.ones(N)
    parts = (part(posterior, labels, weights[None]) for part in (metrics.discrimination, metrics.calibration))
    said = {name: values[0] for part in parts for name, values in part.items()}
    expected = dict(_by_scikit_learn(posterior, labels, weights))
    assert set(said) == {*expected, "ece"}
    for name, value in expected.items():
        assert said[name] == pytest.approx(value, rel=1e-9), name


def _by_scikit_learn(posterior: Floats, labels: NDArray[np.int64], weights: Floats) -> dict[str, float]:
    predicted, one_hot = posterior.argmax(axis=1), np.eye(3)[labels]
    options: dict[str, Any] = {"sample_weight": weights}
    ppv, recall, f1, _ = reference.precision_recall_fscore_support(labels, predicted, **options)
    found: dict[str, float] = {
        "accuracy": reference.accuracy_score(labels, predicted, **options),
        "log_loss": reference.log_loss(labels, posterior, labels=[0, 1, 2], **options),
        "brier": np.average(((posterior - one_hot) ** 2).sum(axis=1), weights=weights),
        "micro_auroc": reference.roc_auc_score(one_hot, posterior, average="micro", **options),
        "micro_ap": reference.average_precision_score(one_hot, posterior, average="micro", **options),
    }
    for index, label in enumerate(LABELS):
        is_, is_said, score = labels == index, predicted == index, posterior[:, index]
        found |= {f"{label}_ppv": ppv[index], f"{label}_recall": recall[index], f"{label}_f1": f1[index]}
        found[f"{label}_specificity"] = reference.recall_score(~is_, ~is_said, **options)
        found[f"{label}_npv"] = reference.precision_score(~is_, ~is_said, **options)
        found[f"{label}_auroc"] = reference.roc_auc_score(is_, score, **options)
        found[f"{label}_ap"] = reference.average_precision_score(is_, score, **options)
    for name in ("ppv", "recall", "f1", "specificity", "npv", "auroc", "ap"):
        found[f"macro_{name}"] = float(np.mean([found[f"{label}_{name}"] for label in LABELS]))
    return found


def test_confusion_has_the_true_label_in_rows() -> None:
    posterior = np.eye(3)[[0, 1, 1, 2]]
    assert metrics.confusion(posterior, np.array([0, 0, 1, 1]))[0].tolist() == [[1, 1, 0], [0, 1, 1], [0, 0, 0]]


def test_calibration_error_by_hand() -> None:
    posterior = np.array([[0.9, 0.1, 0.0]] * 10 + [[0.5, 0.3, 0.2]] * 10)
    labels = np.array([0] * 6 + [1] * 4 + [0] * 5 + [1] * 5)
    assert figures(posterior, labels)["ece"] == pytest.approx(0.5 * 0.3 + 0.5 * 0.0)
    certain = np.eye(3)[[0, 1, 2]]
    assert figures(certain, np.array([0, 1, 2]))["ece"] == 0
    assert figures(certain, np.array([1, 2, 0]))["ece"] == 1


def test_brier_goes_from_0_to_2() -> None:
    certain = np.eye(3)[[0, 1, 2]]
    assert figures(certain, np.array([0, 1, 2]))["brier"] == 0
    assert figures(certain, np.array([1, 2, 0]))["brier"] == 2


def test_log_loss_of_a_certain_error_is_finite() -> None:
    assert metrics.log_loss(np.eye(3)[[0]], np.array([1])) == pytest.approx(12 * math.log(10))


def test_what_cannot_be_known_is_nan() -> None:
    posterior, labels = np.eye(3)[[0, 0, 1]], np.array([0, 0, 1])
    said = figures(posterior, labels)
    undefined = {name for name, value in said.items() if math.isnan(value)}
    absent = {"ppv", "recall", "f1", "auroc", "ap"}
    assert undefined == {f"covid19_{name}" for name in absent} | {f"macro_{name}" for name in absent - {"f1"}}
    assert said["macro_f1"] == pytest.approx(2 / 3)
    assert said["covid19_specificity"] == 1


# --- Many weightings: compared with repeated images, and with scikit-learn's curves


@pytest.fixture(scope="module")
def posterior() -> Floats:
    return softmax(np.random.default_rng(0).normal(size=(60, 3)).round(1))


@pytest.fixture(scope="module")
def weights() -> Floats:
    """Five resamples, zeros among the weights."""
    rng = np.random.default_rng(1)
    return np.stack([np.bincount(rng.integers(60, size=60), minlength=60) for _ in range(5)]).astype(np.float64)


DRAWN = np.random.default_rng(2).integers(0, 3, 60)


def test_weights_are_how_often_an_image_counts(posterior: Floats, weights: Floats) -> None:
    said = metrics.discrimination(posterior, DRAWN, weights) | metrics.calibration(posterior, DRAWN, weights)
    for row, times in enumerate(weights.astype(np.int64)):
        repeated = metrics.figures(posterior.repeat(times, axis=0), DRAWN.repeat(times))
        assert {name: values[row] for name, values in said.items()} == pytest.approx(repeated, rel=1e-9)


def test_thresholds_pass_ties_together() -> None:
    score, positive = np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False])
    hits, alarms = metrics.above_thresholds(score, positive, np.array([[1.0, 1.0, 2.0, 1.0]]))
    assert hits.tolist() == [[0, 1, 2, 2]]
    assert alarms.tolist() == [[0, 0, 2, 3]]
    assert metrics.auroc(score, positive, np.ones((1, 4))) == pytest.approx(reference.roc_auc_score(positive, score))


def test_a_resample_without_one_of_two_classes_has_no_auroc(posterior: Floats) -> None:
    positive = DRAWN == 1
    without, with_ = (~positive).astype(np.float64), np.ones(60)
    found = metrics.auroc(posterior[:, 1], positive, np.stack([without, with_]))
    assert np.isnan(found).tolist() == [True, False]
    found = metrics.average_precision(posterior[:, 1], positive, np.stack([without, with_]))
    assert np.isnan(found).tolist() == [True, False]


def test_bins_are_of_equal_width_and_hold_certainty() -> None:
    bins = metrics.in_bins(np.array([0.0, 1 / 15 - 1e-9, 1 / 15 + 1e-9, 1.0]))
    assert bins.argmax(axis=1).tolist() == [0, 0, 1, 14]
    assert bins.sum() == 4


def test_rank_correlation_is_scipys_with_ties_row_by_row() -> None:
    x, y = np.random.default_rng(0).integers(-3, 4, (2, 5, 50)).astype(np.float64)
    expected = [spearmanr(one, other).statistic for one, other in zip(x, y, strict=True)]
    assert metrics.spearman(x, y) == pytest.approx(expected)
    assert metrics.spearman(x[0], y[0]) == pytest.approx(expected[0])


def test_what_never_changes_correlates_with_nothing() -> None:
    x, y = np.ones((2, 5)), np.stack([np.arange(5.0)] * 2)
    x[1] = [1, 2, 3, 5, 4]
    assert np.isnan(metrics.spearman(x, y)).tolist() == [True, False]
    assert np.isnan(metrics.spearman(x[0], y[0]))
