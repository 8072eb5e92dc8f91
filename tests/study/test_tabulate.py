"""A row of the tables has an evaluation's figures, except for the mean over labels without a figure."""

import numpy as np
import pytest

from cxr.labels import LABELS
from cxr.model.posterior import softmax
from evaluation.bootstrap import Resampling
from evaluation.metrics import calibration, discrimination
from study.tabulate import measured


def test_figures_are_those_of_an_evaluation() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 60)
    posterior = softmax(rng.normal(0, 1, (60, 3)) + np.eye(3)[labels])
    resampling = Resampling([f"p{i % 25}" for i in range(60)], resamples=150)
    expected = resampling.measure(
        lambda weights: discrimination(posterior, labels, weights) | calibration(posterior, labels, weights)
    )
    found = measured(posterior, labels, resampling)
    assert set(found) == {"accuracy", "log_loss"} | {
        f"{of}_{name}" for of in ("macro", *LABELS) for name in ("ppv", "recall", "f1")
    }
    assert found == {name: expected[name] for name in found}


def test_unmeasurable_figures_are_missing_and_count_as_zero_in_the_mean() -> None:
    labels, posterior = np.array([0, 0, 1, 1]), np.eye(3)[[0, 0, 1, 0]]
    found = measured(posterior, labels, Resampling(["a", "b", "c", "d"], resamples=50))
    assert (found["covid19_ppv"].value, found["covid19_recall"].low, found["covid19_f1"].high) == (None, None, None)
    assert (found["normal_recall"].value, found["pneumonia_ppv"].value) == (1.0, 1.0)
    assert found["macro_ppv"].value == pytest.approx((2 / 3 + 1) / 3, abs=1e-4)
    assert found["macro_f1"].value == pytest.approx((0.8 + 2 / 3) / 3, abs=1e-4)
