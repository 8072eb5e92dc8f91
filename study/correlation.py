"""Rank correlation between spectral figures and validation loss over snapshots, with an interval."""

from collections.abc import Iterator, Sequence
from typing import Final, get_args

import numpy as np

from cxr.arrays import Floats
from evaluation.bootstrap import Resampling
from evaluation.figure import Figure
from evaluation.metrics import spearman
from study.tables import Correlation, SnapshotRow, SpectralMetric

METRICS: Final[tuple[SpectralMetric, ...]] = get_args(SpectralMetric)
MIN_SNAPSHOTS: Final = 5
MIN_RUNS: Final = 3  # smallest number of runs to resample; with fewer there is no interval


def correlations(rows: Sequence[SnapshotRow], resamples: int = 2000, seed: int = 0) -> tuple[Correlation, ...]:
    """Correlate each spectral figure with the calibrated log loss: over all snapshots, then within each run."""
    return tuple(
        Correlation(metric, scope, len(group), _rho(group, metric, scope == "all", resamples, seed))
        for scope, group in _scopes([row for row in rows if row.alpha is not None])
        for metric in METRICS
    )


def _scopes(rows: Sequence[SnapshotRow]) -> Iterator[tuple[str, list[SnapshotRow]]]:
    runs = dict.fromkeys(row.snapshot.run for row in rows)
    groups = {"all": list(rows)} | {run: [row for row in rows if row.snapshot.run == run] for run in runs}
    yield from ((scope, group) for scope, group in groups.items() if len(group) >= MIN_SNAPSHOTS)


def _rho(rows: list[SnapshotRow], metric: SpectralMetric, over_runs: bool, resamples: int, seed: int) -> Figure:
    x = np.array([getattr(row, metric) for row in rows])
    y = np.array([row.calibrated_log_loss for row in rows])
    clusters = [row.snapshot.run if over_runs else str(row.snapshot) for row in rows]
    if len(set(clusters)) < MIN_RUNS:
        return Figure.of(float(spearman(x, y)), np.nan, np.nan)
    return Resampling(clusters, resamples, seed).measure(lambda weights: {"rho": _weighted(x, y, weights)})["rho"]


def _weighted(x: Floats, y: Floats, weights: Floats) -> Floats:
    """[R] Spearman's rho of values [N], weighted by [R, N]."""
    sizes = weights.sum(axis=1)
    found = np.empty(len(weights))
    for size in np.unique(sizes):  # resamples of equal size together, because runs have different numbers of snapshots
        rows = np.flatnonzero(sizes == size)
        picked = np.stack([np.repeat(np.arange(len(x)), weights[row].astype(np.int64)) for row in rows])
        found[rows] = spearman(x[picked], y[picked])
    return found
