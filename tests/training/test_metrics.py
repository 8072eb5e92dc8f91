"""Figures of merit against scikit-learn and by hand, and intervals that know what a patient is."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as reference

from cxr.labels import LABELS
from cxr.posterior import softmax
from training import metrics
from training.metrics import bootstrap, figures

Floats = NDArray[np.float64]
N = 200


@pytest.fixture(params=[0, 1, 2])
def case(request: pytest.FixtureRequest) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Posteriors that are right more often than not, labels, and bootstrap weights with zeros."""
    rng = np.random.default_rng(request.param)
    labels = rng.choice(3, N, p=[0.6, 0.3, 0.1])
    posterior = softmax(rng.normal(size=(N, 3)) + 1.2 * np.eye(3)[labels])
    return posterior, labels, np.bincount(rng.integers(N, size=N), minlength=N).astype(np.float64)


@pytest.mark.parametrize("weighted", [False, True])
def test_figures_are_scikit_learns(case: tuple[Floats, NDArray[np.int64], Floats], weighted: bool) -> None:
    posterior, labels, weights = case
    weight = weights if weighted else None
    predicted = posterior.argmax(axis=1)
    said = figures(posterior, labels, weight)
    options: dict[str, Any] = {"sample_weight": weight}
    expected = {
        "macro_f1": reference.f1_score(labels, predicted, average="macro", **options),
        "accuracy": reference.accuracy_score(labels, predicted, **options),
        "log_loss": reference.log_loss(labels, posterior, labels=[0, 1, 2], **options),
        "brier": np.average(((posterior - np.eye(3)[labels]) ** 2).sum(axis=1), weights=weight),
    }
    ppv, recall, f1, _ = reference.precision_recall_fscore_support(labels, predicted, **options)
    for index, label in enumerate(LABELS):
        is_, is_said = labels == index, predicted == index
        expected |= {f"{label}_ppv": ppv[index], f"{label}_recall": recall[index], f"{label}_f1": f1[index]}
        expected[f"{label}_specificity"] = reference.recall_score(~is_, ~is_said, **options)
        expected[f"{label}_npv"] = reference.precision_score(~is_, ~is_said, **options)
        expected[f"{label}_auroc"] = reference.roc_auc_score(is_, posterior[:, index], **options)
    assert set(said) == {*expected, "ece"}
    for name, value in expected.items():
        assert said[name] == pytest.approx(value, rel=1e-9), name


def test_weights_are_how_often_an_image_counts(case: tuple[Floats, NDArray[np.int64], Floats]) -> None:
    posterior, labels, weights = case
    times = weights.astype(np.int64)
    repeated = figures(posterior.repeat(times, axis=0), labels.repeat(times))
    assert figures(posterior, labels, weights) == pytest.approx(repeated, rel=1e-9)


def test_confusion_has_the_true_label_in_rows() -> None:
    posterior = np.eye(3)[[0, 1, 1, 2]]
    assert metrics.confusion(posterior, np.array([0, 0, 1, 1])).tolist() == [[1, 1, 0], [0, 1, 1], [0, 0, 0]]


def test_calibration_error_by_hand() -> None:
    posterior = np.array([[0.9, 0.1, 0.0]] * 10 + [[0.5, 0.3, 0.2]] * 10)
    labels = np.array([0] * 6 + [1] * 4 + [0] * 5 + [1] * 5)
    assert metrics.calibration_error(posterior, labels) == pytest.approx(0.5 * 0.3 + 0.5 * 0.0)
    certain = np.eye(3)[[0, 1, 2]]
    assert metrics.calibration_error(certain, np.array([0, 1, 2])) == 0
    assert metrics.calibration_error(certain, np.array([1, 2, 0])) == 1


def test_brier_goes_from_0_to_2() -> None:
    certain = np.eye(3)[[0, 1, 2]]
    assert metrics.brier(certain, np.array([0, 1, 2])) == 0
    assert metrics.brier(certain, np.array([1, 2, 0])) == 2


def test_log_loss_of_a_certain_error_is_finite() -> None:
    assert metrics.log_loss(np.eye(3)[[0]], np.array([1])) == pytest.approx(12 * math.log(10))
    assert metrics.negative_log_likelihood(np.zeros((4, 3)), np.array([0, 1, 2, 0])) == pytest.approx(math.log(3))


def test_what_cannot_be_known_is_nan() -> None:
    posterior, labels = np.eye(3)[[0, 0, 1]], np.array([0, 0, 1])
    said = figures(posterior, labels)
    undefined = {name for name, value in said.items() if math.isnan(value)}
    assert undefined == {"covid19_ppv", "covid19_recall", "covid19_f1", "covid19_auroc"}
    assert said["macro_f1"] == pytest.approx(2 / 3)
    assert said["covid19_specificity"] == 1


def test_a_label_that_no_resample_holds_has_no_auroc() -> None:
    posterior, labels = softmax(np.random.default_rng(0).normal(size=(4, 3))), np.array([0, 1, 2, 2])
    assert math.isnan(metrics.auroc(posterior, labels, 1, np.array([1.0, 0.0, 1.0, 1.0])))
    assert not math.isnan(metrics.auroc(posterior, labels, 1, np.array([1.0, 2.0, 1.0, 1.0])))


# --- Intervals


def share_of(successes: Floats) -> Any:
    return lambda weights: {"share": float(np.average(successes, weights=weights))}


def test_the_interval_of_a_share_is_the_binomials() -> None:
    successes = np.array([1.0] * 80 + [0.0] * 20)
    low, high = bootstrap(share_of(successes), [f"p{i}" for i in range(100)], seed=3)["share"]
    half_width = 1.96 * math.sqrt(0.8 * 0.2 / 100)
    assert low == pytest.approx(0.8 - half_width, abs=0.015)
    assert high == pytest.approx(0.8 + half_width, abs=0.015)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    groups = [str(i) for i in range(60)]
    covered = 0
    for seed in range(100):
        sample = (rng.random(60) < 0.7).astype(np.float64)
        low, high = bootstrap(share_of(sample), groups, resamples=200, seed=seed)["share"]
        covered += low <= 0.7 <= high
    assert 87 <= covered <= 99


def test_images_of_one_patient_are_not_independent() -> None:
    by_patient = np.array([1.0, 1.0, 1.0, 0.0] * 10)  # 40 patients of 10 images that agree
    successes = by_patient.repeat(10)
    patients = [f"p{i // 10}" for i in range(400)]
    images = [f"i{i}" for i in range(400)]
    (low, high), (naive_low, naive_high) = (
        bootstrap(share_of(successes), groups, resamples=500)["share"] for groups in (patients, images)
    )
    assert high - low == pytest.approx((naive_high - naive_low) * math.sqrt(10), rel=0.15)


def test_a_patients_images_are_drawn_together() -> None:
    seen: list[Floats] = []

    def figure(weights: Floats) -> dict[str, float]:
        seen.append(weights)
        return {"total": float(weights.sum())}

    bootstrap(figure, ["b", "a", "b", "c", "b"], resamples=50)
    assert all(weights[0] == weights[2] == weights[4] for weights in seen)
    assert all(weights[[0, 1, 3]].sum() == 3 for weights in seen)


def test_resampling_is_seeded_and_skips_what_is_undefined() -> None:
    groups = [str(i) for i in range(5)]

    def figure(weights: Floats) -> dict[str, float]:
        return {"sometimes": float(weights[0]) if weights[0] else math.nan, "never": math.nan}

    first, again, other = (bootstrap(figure, groups, resamples=100, seed=seed) for seed in (0, 0, 1))
    assert first["sometimes"] == again["sometimes"]
    assert first["sometimes"][0] == other["sometimes"][0] == 1
    assert all(math.isnan(bound) for bound in first["never"])
