"""The order of an epoch: balanced to the image, or every image once; the same from the same seed."""

import pytest
import torch
from torch import Tensor

from training.sampling import epoch_order

LABELS = torch.tensor([0] * 60 + [1] * 25 + [2] * 5)


def order(balanced: bool, seed: int = 0, labels: Tensor = LABELS) -> Tensor:
    return epoch_order(labels, balanced, torch.Generator().manual_seed(seed))


def test_balanced_means_every_label_equally_often() -> None:
    indices = order(balanced=True)
    assert indices.dtype == torch.int64
    assert torch.bincount(LABELS[indices]).tolist() == [30, 30, 30]


@pytest.mark.parametrize("count", [91, 92])
def test_a_rest_makes_labels_differ_by_no_more_than_two(count: int) -> None:
    labels = torch.cat([LABELS, torch.tensor([1, 2])])[:count]
    counts = torch.bincount(labels[order(True, labels=labels)])
    assert counts.sum() == count
    assert counts.max() - counts.min() <= 2


def test_a_rare_labels_images_are_repeated_equally_often() -> None:
    times = torch.bincount(order(balanced=True), minlength=len(LABELS))
    assert times[:60].max() == 1, "a frequent label is cut, not repeated"
    assert set(times[60:85].tolist()) == {1, 2}
    assert times[85:].tolist() == [6] * 5


def test_over_epochs_every_image_of_a_frequent_label_is_visited() -> None:
    chance = torch.Generator().manual_seed(0)
    visited = torch.cat([epoch_order(LABELS, True, chance) for _ in range(12)])
    assert len(visited.unique()) == len(LABELS)


def test_labels_are_mixed_within_an_epoch() -> None:
    labels = LABELS[order(balanced=True)]
    assert torch.bincount(labels[:30], minlength=3).min() >= 3


def test_imbalanced_is_a_permutation() -> None:
    assert order(balanced=False).sort().values.tolist() == list(range(len(LABELS)))
    assert order(balanced=False).tolist() != list(range(len(LABELS)))


@pytest.mark.parametrize("balanced", [True, False])
def test_the_generator_is_the_only_source_of_chance(balanced: bool) -> None:
    torch.manual_seed(1)
    first = order(balanced)
    torch.manual_seed(2)
    assert torch.equal(order(balanced), first)
    assert not torch.equal(order(balanced, seed=1), first)
