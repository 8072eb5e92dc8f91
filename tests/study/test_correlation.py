"""Rank correlation between spectral figures and losses."""

import numpy as np

from study.correlation import correlations
from study.tables import Snapshot, SnapshotRow


def rows(runs: int, cycles: int, noise: float) -> list[SnapshotRow]:
    """Alpha follows the loss, with `noise`; log norm is its opposite; weighted alpha is independent of it."""
    draw = np.random.default_rng(0)
    made = []
    for run in range(runs):
        for cycle in range(1, cycles + 1):
            loss = 1.0 / cycle + 0.02 * run
            alpha, weighted = loss + noise * draw.normal(), draw.normal()
            snapshot = Snapshot(f"run{run}", cycle)
            made.append(SnapshotRow(snapshot, "vgg19", "natural", -loss, alpha, weighted, loss, 1.0, loss, 0.8))
    return made


def test_agreement_opposition_and_indifference() -> None:
    found = {(one.scope, one.metric): one for one in correlations(rows(4, 8, 0.0), resamples=200)}
    assert len(found) == 3 * (1 + 4)
    assert found["all", "alpha"].rho.value == found["run2", "alpha"].rho.value == 1.0
    assert found["all", "log_norm"].rho.value == -1.0
    nothing = found["all", "weighted_alpha"].rho
    assert nothing.low is not None
    assert nothing.high is not None
    assert nothing.low < 0 < nothing.high
    assert (found["all", "alpha"].snapshots, found["run0", "alpha"].snapshots) == (32, 8)


def test_noise_widens_the_interval_around_the_value() -> None:
    rho = correlations(rows(5, 8, 0.1), resamples=300)[1].rho
    assert rho.low is not None
    assert rho.value is not None
    assert rho.high is not None
    assert rho.low < rho.value < rho.high < 1.0


def test_two_runs_give_no_interval_and_few_snapshots_no_scope() -> None:
    overall = correlations(rows(2, 4, 0.1), resamples=50)
    assert [(one.scope, one.snapshots) for one in overall] == [("all", 8)] * 3
    assert overall[0].rho.low is None
    assert overall[1].rho.value is not None
    assert str(overall[1]) == f"{overall[1].rho.value:.3f}"
    assert correlations(rows(1, 4, 0.1)) == ()


def test_a_run_without_spectra_does_not_count() -> None:
    bare = [SnapshotRow(Snapshot("bare", i), "vgg19", "natural", None, None, None, 1, 1, 1, 1) for i in range(9)]
    assert {one.scope for one in correlations(rows(1, 6, 0.1) + bare, resamples=20)} == {"all", "run0"}
