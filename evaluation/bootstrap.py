"""95 % intervals by resampling patients, not images, with replacement."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from cxr.arrays import Floats
from evaluation.figure import Figure

RESAMPLES: Final = 2000
BLOCK: Final = 250  # resamples computed at a time, which limits the size of the matrices

Figures = Callable[[Floats], Mapping[str, Floats]]
"""Weights [R, N], how often each image counts in R resamples → figures [R, …], named as in `evaluation.metrics`."""


class Resampling:
    """Resamples of some images by patient, drawn once and used for every figure.

    Percentile intervals of figures of a whole data set (Efron & Tibshirani 1993, chapter 13). Resamples in which a
    figure is NaN do not count for it.
    """

    def __init__(self, patients: Sequence[str], resamples: int = RESAMPLES, seed: int = 0) -> None:
        """Draw as many patients as there are with replacement, `resamples` times.

        Args:
            patients: [N] the patient of each image. All images of a patient are drawn together.
            resamples: number of bootstrap samples.
            seed: of the drawing.
        """
        _, self._patient = np.unique(np.asarray(patients), return_inverse=True)
        self.patients = int(self._patient.max()) + 1
        self.resamples = resamples
        drawn = np.random.default_rng(seed).integers(self.patients, size=(resamples, self.patients))
        self._times = np.stack([np.bincount(row, minlength=self.patients) for row in drawn]).astype(np.uint16)

    def intervals(self, figures: Figures) -> dict[str, tuple[Floats, Floats]]:
        """For each figure (low, high), in the figure's shape."""
        blocks = [figures(weights) for weights in self._weights()]
        return {name: interval(np.concatenate([block[name] for block in blocks])) for name in blocks[0]}

    def measure(self, figures: Figures) -> dict[str, Figure]:
        """Figures of the images themselves, with intervals."""
        values, intervals = figures(np.ones((1, len(self._patient)))), self.intervals(figures)
        return {name: Figure.of(float(value[0]), *map(float, intervals[name])) for name, value in values.items()}

    def _weights(self) -> Iterator[Floats]:
        """The weights in blocks of [≤ BLOCK, N]."""
        for start in range(0, self.resamples, BLOCK):
            yield self._times[start : start + BLOCK][:, self._patient].astype(np.float64)


def means_of(values: Mapping[str, Floats]) -> Figures:
    """Figures that are means over images, from the images' values [N]. NaN is left out of a mean."""
    names, table = list(values), np.stack(list(values.values()), axis=1)
    known = ~np.isnan(table)
    filled = np.nan_to_num(table)

    def means(weights: Floats) -> dict[str, Floats]:
        totals, counts = weights @ filled, weights @ known
        return dict(zip(names, np.where(counts > 0, totals / np.maximum(counts, 1), np.nan).T, strict=True))

    return means


def interval(values: Floats) -> tuple[Floats, Floats]:
    """The 2.5th and 97.5th percentile over the first axis, without NaN; NaN if all values are NaN."""
    empty = np.isnan(values).all(axis=0)
    low, high = np.nanpercentile(np.where(empty, 0.0, values), [2.5, 97.5], axis=0)
    return np.where(empty, np.nan, low), np.where(empty, np.nan, high)
