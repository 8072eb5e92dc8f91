"""Tables' intervals are those of the bootstrap, draw by draw."""

import numpy as np
import pytest

from cxr.labels import LABELS
from cxr.model.posterior import softmax
from evaluation.bootstrap import bootstrap
from evaluation.metrics import calibration, confusion, discrimination, figures
from study.intervals import Resampling


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Posteriors, labels and patients of 60 images; each patient has one to four."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 60)
    return softmax(rng.normal(0, 1, (60, 3)) + np.eye(3)[labels]), labels, [f"p{i % 25}" for i in range(60)]


def test_values_and_intervals_are_those_of_the_bootstrap(
    drawn: tuple[np.ndarray, np.ndarray, list[str]],
) -> None:
    posterior, labels, patients = drawn
    resampling = Resampling(labels, patients, resamples=150)
    confusions = resampling.confusions(posterior.argmax(axis=1))
    assert np.array_equal(confusions[0], confusion(posterior, labels))
    macro, by_label, accuracy = resampling.scores(confusions)
    slow = bootstrap(
        lambda weights: discrimination(posterior, labels, weights) | calibration(posterior, labels, weights),
        patients,
        150,
    )
    values = figures(posterior, labels)
    quick = {"macro_f1": macro.f1, "accuracy": accuracy}
    quick["log_loss"] = resampling.mean(-np.log(posterior[np.arange(60), labels]))
    for label, scores in zip(LABELS, by_label, strict=True):
        quick |= {f"{label}_ppv": scores.precision, f"{label}_recall": scores.recall, f"{label}_f1": scores.f1}
    assert len(quick) == 12
    for name, figure in quick.items():
        assert (figure.value, figure.low, figure.high) == pytest.approx(
            (values[name], *map(float, slow[name])), abs=1e-4
        ), name


def test_what_cannot_be_measured_is_no_figure_and_counts_nothing_in_the_mean() -> None:
    labels = np.array([0, 0, 1, 1])
    resampling = Resampling(labels, ["a", "b", "c", "d"], resamples=50)
    macro, (normal, pneumonia, covid), _ = resampling.scores(resampling.confusions(np.array([0, 0, 1, 0])))
    assert (covid.precision.value, covid.recall.low, covid.f1.high) == (None, None, None)
    assert (normal.recall.value, pneumonia.precision.value) == (1.0, 1.0)
    assert macro.f1.value == pytest.approx((0.8 + 2 / 3) / 3, abs=1e-4)


def test_patients_are_drawn_not_images() -> None:
    labels = np.zeros(40, dtype=np.int64)
    predicted = np.repeat([0, 1], 20)
    few = Resampling(labels, ["a"] * 20 + ["b"] * 20, resamples=400).confusions(predicted)
    many = Resampling(labels, [str(i) for i in range(40)], resamples=400).confusions(predicted)
    assert set(np.unique(few[1:, 0, 0])) == {0, 20, 40}
    assert many[1:, 0, 0].std() < few[1:, 0, 0].std() / 2
