"""Logits of a whole data set from a bundle's graphs, the ones that the service runs."""

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from cxr.model.inference import Ensemble
from training.data import Dataset

BATCH = 16


def logits_of(ensemble: Ensemble, data: Dataset) -> NDArray[np.float32]:
    """[M, N, 3] logits of the members."""
    starts = range(0, len(data.rows), BATCH)
    batches = [
        ensemble.logits(np.ascontiguousarray(data.images[start : start + BATCH]))
        for start in track(starts, "predicting", transient=True)
    ]
    return np.concatenate(batches, axis=1)
