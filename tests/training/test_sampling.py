"""The order of an epoch: exactly balanced, or every image once; the same from the same seed."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from training.sampling import SAMPLINGS, Sampling, balanced_subset, cell_weights, epoch_order, pair_weights

LABELS = torch.tensor([0] * 60 + [1] * 25 + [2] * 5)
SOURCES = torch.tensor([0] * 50 + [1] * 10 + [0] * 9 + [2] * 16 + [3] * 4 + [1])


def order(sampling: Sampling = "class_balanced", seed: int = 0, labels: Tensor = LABELS) -> Tensor:
    return epoch_order(labels, torch.zeros_like(labels), sampling, torch.Generator().manual_seed(seed))


def weight_of(weights: Tensor, label: int, source: int) -> float:
    return float(weights[(label == LABELS) & (source == SOURCES)].sum())


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
    rng = torch.Generator().manual_seed(0)
    visited = torch.cat([epoch_order(LABELS, SOURCES, "class_balanced", rng) for _ in range(12)])
    assert len(visited.unique()) == len(LABELS)


def test_labels_are_mixed_within_an_epoch() -> None:
    labels = LABELS[order()]
    assert torch.bincount(labels[:30], minlength=3).min() >= 3


def test_imbalanced_is_a_permutation() -> None:
    assert order("natural").sort().values.tolist() == list(range(len(LABELS)))
    assert order("natural").tolist() != list(range(len(LABELS)))


def test_undersampled_visits_the_same_few_images_of_each_label_in_every_epoch() -> None:
    rng = torch.Generator().manual_seed(0)
    one, other = (epoch_order(LABELS, SOURCES, "undersampled", rng) for _ in range(2))
    assert torch.bincount(LABELS[one]).tolist() == [5, 5, 5]
    assert not torch.equal(one, other)
    assert torch.equal(one.sort().values, other.sort().values)
    assert torch.equal(one.sort().values, balanced_subset(LABELS))


def test_the_balanced_subset_is_drawn_not_cut() -> None:
    assert balanced_subset(LABELS)[:5].tolist() != [0, 1, 2, 3, 4]


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_the_generator_is_the_only_source_of_randomness(sampling: Sampling) -> None:
    torch.manual_seed(1)
    first = order(sampling)
    torch.manual_seed(2)
    assert torch.equal(order(sampling), first)
    assert not torch.equal(order(sampling, seed=1), first)


@pytest.mark.parametrize("weigh", [cell_weights, pair_weights])
def test_by_cell_or_in_pairs_labels_are_drawn_equally_often(weigh: Callable[[Tensor, Tensor], Tensor]) -> None:
    weights = weigh(LABELS, SOURCES)
    for label in range(3):
        assert float(weights[label == LABELS].sum()) == pytest.approx(1 / 3)


def test_by_cell_every_source_of_a_label_is_drawn_equally_often() -> None:
    weights = cell_weights(LABELS, SOURCES)
    assert weight_of(weights, 0, 0) == pytest.approx(weight_of(weights, 0, 1)) == pytest.approx(1 / 6)
    assert weight_of(weights, 2, 1) == pytest.approx(1 / 6)


def test_in_pairs_a_source_that_holds_several_labels_counts_three_times() -> None:
    weights = pair_weights(LABELS, SOURCES)
    assert weight_of(weights, 0, 0) / weight_of(weights, 0, 1) == pytest.approx((50 / 10) ** 0.5)
    assert weight_of(weights, 1, 0) / weight_of(weights, 1, 2) == pytest.approx(3 * (9 / 16) ** 0.5)
    assert weight_of(weights, 2, 1) / weight_of(weights, 2, 3) == pytest.approx(3 * (1 / 4) ** 0.5)


@pytest.mark.parametrize(("sampling", "weigh"), [("cell_balanced", cell_weights), ("pairs", pair_weights)])
def test_an_epoch_is_drawn_by_the_weights(sampling: Sampling, weigh: Callable[[Tensor, Tensor], Tensor]) -> None:
    rng = torch.Generator().manual_seed(0)
    orders = torch.stack([epoch_order(LABELS, SOURCES, sampling, rng) for _ in range(300)])
    assert orders.shape[1] == len(LABELS)
    drawn = torch.bincount(orders.flatten(), minlength=len(LABELS)) / orders.numel()
    torch.testing.assert_close(drawn.double(), weigh(LABELS, SOURCES), rtol=0.25, atol=1e-3)
