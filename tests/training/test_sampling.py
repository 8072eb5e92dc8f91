"""The order of an epoch: balanced to the image, or every image once; the same from the same seed."""

import pytest
import torch
from torch import Tensor

from training.sampling import SAMPLINGS, Sampling, balanced_subset, epoch_order

LABELS = torch.tensor([0] * 60 + [1] * 25 + [2] * 5)


def order(sampling: Sampling = "class_balanced", seed: int = 0, labels: Tensor = LABELS) -> Tensor:
    return epoch_order(labels, sampling, torch.Generator().manual_seed(seed))


def test_balanced_means_every_label_equally_often() -> None:
    indices = order()
    assert indices.dtype == torch.int64
    assert torch.bincount(LABELS[indices]).tolist() == [30, 30, 30]


@pytest.mark.parametrize("count", [91, 92])
def test_a_rest_makes_labels_differ_by_no_more_than_two(count: int) -> None:
    labels = torch.cat([LABELS, torch.tensor([1, 2])])[:count]
    counts = torch.bincount(labels[order(labels=labels)])
    assert counts.sum() == count
    assert counts.max() - counts.min() <= 2


def test_a_rare_labels_images_are_repeated_equally_often() -> None:
    times = torch.bincount(order(), minlength=len(LABELS))
    assert times[:60].max() == 1, "a frequent label is cut, not repeated"
    assert set(times[60:85].tolist()) == {1, 2}
    assert times[85:].tolist() == [6] * 5


def test_over_epochs_every_image_of_a_frequent_label_is_visited() -> None:
    chance = torch.Generator().manual_seed(0)
    visited = torch.cat([epoch_order(LABELS, "class_balanced", chance) for _ in range(12)])
    assert len(visited.unique()) == len(LABELS)


def test_labels_are_mixed_within_an_epoch() -> None:
    labels = LABELS[order()]
    assert torch.bincount(labels[:30], minlength=3).min() >= 3


def test_imbalanced_is_a_permutation() -> None:
    assert order("natural").sort().values.tolist() == list(range(len(LABELS)))
    assert order("natural").tolist() != list(range(len(LABELS)))


def test_undersampled_visits_the_same_few_images_of_each_label_in_every_epoch() -> None:
    chance = torch.Generator().manual_seed(0)
    one, other = (epoch_order(LABELS, "undersampled", chance) for _ in range(2))
    assert torch.bincount(LABELS[one]).tolist() == [5, 5, 5]
    assert not torch.equal(one, other)
    assert torch.equal(one.sort().values, other.sort().values)
    assert torch.equal(one.sort().values, balanced_subset(LABELS))


def test_the_balanced_subset_is_drawn_not_cut() -> None:
    assert balanced_subset(LABELS)[:5].tolist() != [0, 1, 2, 3, 4]


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_the_generator_is_the_only_source_of_chance(sampling: Sampling) -> None:
    torch.manual_seed(1)
    first = order(sampling)
    torch.manual_seed(2)
    assert torch.equal(order(sampling), first)
    assert not torch.equal(order(sampling, seed=1), first)
