"""Weights by label: found where they help, worth nothing where they do not."""

import numpy as np
import pytest

from cxr.labels import LABELS
from cxr.model.posterior import softmax
from evaluation.weighted import Ints, macro_f1
from study.operating_point import fit_weights, operating_point
from study.study import Part
from training.data import Row


def drawn(count: int, short: float, seed: int) -> tuple[np.ndarray, Ints]:
    """Posteriors that give pneumonia a `short`-th of what is its due, and labels."""
    draw = np.random.default_rng(seed)
    truth = softmax(draw.normal(0, 2, (count, 3)))
    labels = np.asarray((draw.random((count, 1)) > truth.cumsum(axis=1)).sum(axis=1))
    unfair = truth / [1, short, 1]
    return unfair / unfair.sum(axis=1, keepdims=True), labels


def part_of(labels: Ints) -> Part:
    rows = tuple(Row("", LABELS[label], "", f"p{i // 2}", "val") for i, label in enumerate(labels))
    return Part("select", rows, {})


def test_a_label_that_falls_short_gets_weight_and_new_patients_gain_by_it() -> None:
    posterior, labels = drawn(1500, 6.0, 0)
    point = operating_point(part_of(labels), posterior, resamples=200)
    assert point.weights["normal"] == 1.0
    assert point.weights["pneumonia"] > 3
    assert point.gain.low is not None
    assert point.gain.low > 0
    fresh, truth = drawn(4000, 6.0, 1)
    once = np.ones((1, 4000))
    better = macro_f1(fresh * [*point.weights.values()], truth, once) - macro_f1(fresh, truth, once)
    assert better[0] == pytest.approx(point.gain.value, abs=0.04)


def test_where_probabilities_are_right_nothing_is_gained() -> None:
    posterior, labels = drawn(1500, 1.0, 2)
    gain = operating_point(part_of(labels), posterior, resamples=200).gain
    assert gain.value == pytest.approx(0, abs=0.02)
    assert gain.low is not None
    assert gain.low < 0.005


def test_of_equal_weights_the_plainest_are_taken() -> None:
    labels = np.arange(9) % 3
    assert fit_weights(np.eye(3)[labels] * 0.9 + 0.03, labels).tolist() == [1.0, 1.0, 1.0]
