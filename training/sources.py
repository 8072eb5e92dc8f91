"""Functions on the sources of images: numbering, weighting, and leaving out."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from cxr.errors import DataError
from training.data import Dataset, Row


def source_numbers(rows: Sequence[Row]) -> Tensor:
    """[N] int64: each image's source, as the index among the sorted names."""
    names = sorted({row.source for row in rows})
    return torch.tensor([names.index(row.source) for row in rows])


def loss_weights(rows: Sequence[Row], weights: Mapping[str, float], left_out: str = "") -> Tensor:
    """[N] weight of each image's loss: that of its source, by default 1.

    Raises:
        DataError: a weight is for a source without images that was not left out.
    """
    strangers = weights.keys() - {row.source for row in rows} - {left_out}
    if strangers:
        raise DataError(f"no image is of the source {', '.join(sorted(strangers))}, which has a loss weight")
    return torch.tensor([weights.get(row.source, 1.0) for row in rows])


def shuffled_within_sources(labels: Tensor, sources: Tensor, seed: int) -> Tensor:
    """[N] labels shuffled within each source: a network can then learn only the source."""
    generator = torch.Generator().manual_seed(seed)
    shuffled = labels.clone()
    for source in sources.unique():
        here = (sources == source).nonzero().flatten()
        shuffled[here] = labels[here[torch.randperm(len(here), generator=generator)]]
    return shuffled


def of_source(source: str, *splits: Dataset) -> Dataset:
    """The images of one source in several splits, split by split and in the order of each."""
    parts = [data.where(row.source == source for row in data.rows) for data in splits]
    rows = tuple(row for part in parts for row in part.rows)
    return Dataset(rows, np.concatenate([part.images for part in parts]))
