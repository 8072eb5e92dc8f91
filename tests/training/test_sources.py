"""Sources: numbered, weighted, left out."""

import numpy as np
import pytest
import torch

from cxr.errors import DataError
from training.data import Dataset, Row
from training.sources import loss_weights, of_source, shuffled_within_sources, source_numbers

SOURCES = ("siim", "cohen", "siim", "nih")
ROWS = tuple(Row(f"{i}.png", "normal", source, str(i), "train") for i, source in enumerate(SOURCES))
DATA = Dataset(ROWS, np.arange(4 * 9, dtype=np.uint8).reshape(4, 3, 3))


def test_sources_are_numbered_by_name() -> None:
    assert source_numbers(ROWS).tolist() == [2, 0, 2, 1]


def test_a_sources_weight_is_that_of_its_images() -> None:
    assert loss_weights(ROWS, {"siim": 0.5, "nih": 0.0}).tolist() == [0.5, 1.0, 0.5, 0.0]


def test_a_weight_of_an_unknown_source_is_refused_but_not_of_one_left_out() -> None:
    with pytest.raises(DataError, match="hannover"):
        loss_weights(ROWS, {"hannover": 0.5})
    assert loss_weights(ROWS, {"hannover": 0.5}, "hannover").tolist() == [1.0] * 4


def test_a_source_is_gathered_from_several_splits() -> None:
    both = of_source("siim", DATA, DATA.where([False, False, True, True]))
    assert [row.file for row in both.rows] == ["0.png", "2.png", "2.png"]
    assert np.array_equal(both.images, DATA.images[[0, 2, 2]])


def test_shuffled_labels_keep_what_each_source_has_and_lose_the_rest() -> None:
    labels, sources = torch.randint(3, (300,)), torch.randint(2, (300,))
    shuffled = shuffled_within_sources(labels, sources, seed=0)
    assert (shuffled != labels).float().mean() > 0.5
    for source in (0, 1):
        assert torch.equal(shuffled[sources == source].bincount(), labels[sources == source].bincount())
    assert torch.equal(shuffled, shuffled_within_sources(labels, sources, seed=0))
