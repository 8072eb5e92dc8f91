"""Does a network's spectrum know what validation knows? Rank correlation over snapshots, with an interval."""

from collections.abc import Iterator, Sequence
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from evaluation.figure import Figure
from study.tables import Correlation, SnapshotRow, SpectralMetric

METRICS: Final[tuple[SpectralMetric, ...]] = get_args(SpectralMetric)
MIN_SNAPSHOTS: Final = 5
MIN_RUNS: Final = 3  # to resample runs; fewer give no interval

Floats = NDArray[np.float64]


def correlations(rows: Sequence[SnapshotRow], resamples: int = 2000, seed: int = 0) -> tuple[Correlation, ...]:
    """Of each spectral figure with the calibrated log loss: over all snapshots, then within each run."""
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
    draw = np.random.default_rng(seed)
    if over_runs:
        samples = _resampled_runs([row.snapshot.run for row in rows], resamples, draw)
    else:
        samples = list(draw.integers(len(rows), size=(resamples, len(rows))))
    drawn = np.array([spearman(x[sample], y[sample]) for sample in samples])
    drawn = drawn[~np.isnan(drawn)]
    low, high = np.percentile(drawn, [2.5, 97.5]) if len(drawn) else (np.nan, np.nan)
    return Figure.of(spearman(x, y), float(low), float(high))


def _resampled_runs(runs: Sequence[str], resamples: int, draw: np.random.Generator) -> list[NDArray[np.intp]]:
    """Indices of all snapshots of as many runs as there are, drawn with replacement."""
    members = [np.flatnonzero(np.array(runs) == run) for run in dict.fromkeys(runs)]
    if len(members) < MIN_RUNS:
        return []
    picks = draw.integers(len(members), size=(resamples, len(members)))
    return [np.concatenate([members[pick] for pick in row]) for row in picks]


def spearman(x: Floats, y: Floats) -> float:
    """Spearman's rho with average ranks for ties; NaN where one of the two never changes."""
    a, b = rankdata(x), rankdata(y)
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else float("nan")
