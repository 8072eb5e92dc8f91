"""95 % intervals by resampling patients, not images, with replacement."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from cxr.model.posterior import Floats
from evaluation.figure import Figure

RESAMPLES: Final = 2000
BLOCK: Final = 250  # resamples at a time: as matrices, and none of them large


def bootstrap(
    figures: Callable[[Floats], Mapping[str, Floats]],
    patients: Sequence[str],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, tuple[Floats, Floats]]:
    """Percentile intervals of figures of a whole data set (Efron & Tibshirani 1993, chapter 13).

    Args:
        figures: weights [R, N], how often each image counts in R resamples → figures [R, …], as those of
            `evaluation.weighted` are.
        patients: [N] the patient of each image; a patient's images come and go together.
        resamples: number of bootstrap samples.
        seed: of the resampling.

    Returns:
        For each figure (low, high), of the figure's shape. Resamples in which a figure is NaN do not count for it.
    """
    rng = np.random.default_rng(seed)
    starts = range(0, resamples, BLOCK)
    blocks = [figures(resample(patients, min(BLOCK, resamples - start), rng)) for start in starts]
    return {name: interval(np.concatenate([block[name] for block in blocks])) for name in blocks[0]}


def with_intervals(
    figures: Callable[[Floats], Mapping[str, Floats]], patients: Sequence[str], resamples: int = RESAMPLES
) -> dict[str, Figure]:
    """Figures [R] of the images themselves, with their intervals."""
    values = figures(np.ones((1, len(patients))))
    intervals = bootstrap(figures, patients, resamples)
    return {name: Figure.of(float(value[0]), *map(float, intervals[name])) for name, value in values.items()}


def resample(patients: Sequence[str], count: int, rng: np.random.Generator) -> Floats:
    """[count, N] how often each of N images is drawn, when as many patients as there are are drawn with replacement."""
    _, member = np.unique(np.asarray(patients), return_inverse=True)
    number = int(member.max()) + 1
    drawn = rng.integers(number, size=(count, number))
    return np.stack([np.bincount(row, minlength=number) for row in drawn])[:, member].astype(np.float64)


def interval(values: Floats) -> tuple[Floats, Floats]:
    """The 2.5th and 97.5th percentile over the first axis, NaN left out; NaN where all of them are."""
    empty = np.isnan(values).all(axis=0)
    low, high = np.nanpercentile(np.where(empty, 0.0, values), [2.5, 97.5], axis=0)
    return np.where(empty, np.nan, low), np.where(empty, np.nan, high)
