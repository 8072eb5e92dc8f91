"""Intervals resample patients, and have their nominal coverage."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from cxr.arrays import Floats
from evaluation import metrics
from evaluation.bootstrap import BLOCK, Resampling, interval


def share_of(successes: Floats) -> Callable[[Floats], dict[str, Floats]]:
    return lambda weights: {"share": metrics.mean(successes, weights)}


def test_the_interval_of_a_share_is_the_binomials() -> None:
    successes = np.array([1.0] * 80 + [0.0] * 20)
    low, high = Resampling([f"p{i}" for i in range(100)], seed=3).intervals(share_of(successes))["share"]
    half_width = 1.96 * math.sqrt(0.8 * 0.2 / 100)
    assert low == pytest.approx(0.8 - half_width, abs=0.015)
    assert high == pytest.approx(0.8 + half_width, abs=0.015)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    groups = [str(i) for i in range(60)]
    covered = 0
    for seed in range(100):
        sample = (rng.random(60) < 0.7).astype(np.float64)
        low, high = Resampling(groups, 200, seed).intervals(share_of(sample))["share"]
        covered += bool(low <= 0.7 <= high)
    assert 87 <= covered <= 99


def test_images_of_one_patient_are_not_independent() -> None:
    by_patient = np.array([1.0, 1.0, 1.0, 0.0] * 10)  # 40 patients, each with 10 identical results
    successes = by_patient.repeat(10)
    patients = [f"p{i // 10}" for i in range(400)]
    images = [f"i{i}" for i in range(400)]
    (low, high), (naive_low, naive_high) = (
        Resampling(groups, 500).intervals(share_of(successes))["share"] for groups in (patients, images)
    )
    assert high - low == pytest.approx((naive_high - naive_low) * math.sqrt(10), rel=0.15)


def test_a_patients_images_are_drawn_together() -> None:
    seen: list[Floats] = []

    def figure(weights: Floats) -> dict[str, Floats]:
        seen.append(weights)
        return {"total": weights.sum(axis=1)}

    resampling = Resampling(["b", "a", "b", "c", "b"], 2 * BLOCK + 1)
    assert resampling.patients == 3
    resampling.intervals(figure)
    assert [len(weights) for weights in seen] == [BLOCK, BLOCK, 1]
    weights = np.concatenate(seen)
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, 2] == weights[:, 4]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()
    assert len(np.unique(weights, axis=0)) == 10  # all ways to draw three of three


def test_resampling_is_seeded_and_skips_what_is_undefined() -> None:
    groups = [str(i) for i in range(5)]

    def figure(weights: Floats) -> dict[str, Floats]:
        drawn = np.where(weights[:, 0] > 0, weights[:, 0], np.nan)
        return {"sometimes": drawn, "never": np.full(len(weights), np.nan), "all": weights[:, 0]}

    first, again, other = (Resampling(groups, 100, seed).intervals(figure) for seed in (0, 0, 1))
    assert first["sometimes"] == again["sometimes"]
    assert first["sometimes"][0] == other["sometimes"][0] == 1
    assert first["all"][0] == 0
    assert all(math.isnan(bound) for bound in first["never"])


def test_a_curve_has_an_interval_at_every_point() -> None:
    values = np.array([[0.0, np.nan, 5.0], [1.0, np.nan, np.nan], [2.0, np.nan, 7.0]])
    low, high = interval(values)
    assert low == pytest.approx([0.05, np.nan, 5.05], nan_ok=True)
    assert high == pytest.approx([1.95, np.nan, 6.95], nan_ok=True)


def test_figures_asked_for_one_by_one_have_the_same_resamples() -> None:
    values = np.random.default_rng(0).normal(size=60)
    resampling = Resampling([str(i % 25) for i in range(60)], 300)
    both = resampling.measure(lambda weights: {"a": metrics.mean(values, weights), "b": metrics.mean(-values, weights)})
    assert resampling.measure(share_of(values))["share"] == both["a"]
    assert (both["a"].value, both["a"].low) == (-(both["b"].value or 0), -(both["b"].high or 0))
    assert both["a"].value == pytest.approx(values.mean(), abs=1e-4)
