"""Which training images an epoch uses, and in which order."""

from typing import Final, Literal, get_args

import torch
from torch import Tensor

Sampling = Literal["natural", "class_balanced", "undersampled", "cell_balanced", "pairs"]
SAMPLINGS: Final[tuple[Sampling, ...]] = get_args(Sampling)

PAIRED: Final = 3.0  # how much more often images are drawn from a source with several labels


def epoch_order(labels: Tensor, sources: Tensor, sampling: Sampling, generator: torch.Generator) -> Tensor:
    """Indices of one epoch.

    Args:
        labels: [N] integer labels.
        sources: [N] integers, the collection that each image is from.
        sampling: `natural`, every image once; `class_balanced`, N images with every label equally often, small
            classes repeated in fresh permutations and large ones cut; `undersampled`, the paper's balanced
            training set, every image of `balanced_subset` once; `cell_balanced` and `pairs`, N images drawn with
            replacement by `cell_weights` and `pair_weights`.
        generator: on the CPU, so that the order is the same on every device.

    Returns:
        Indices into `labels`, int64: N of them, or 3n where undersampled.
    """
    if sampling == "class_balanced":
        return _class_balanced(labels, generator)
    if sampling in ("cell_balanced", "pairs"):
        weigh = pair_weights if sampling == "pairs" else cell_weights
        return torch.multinomial(weigh(labels, sources), len(labels), replacement=True, generator=generator)
    pool = balanced_subset(labels) if sampling == "undersampled" else torch.arange(len(labels))
    return pool[torch.randperm(len(pool), generator=generator)]


def cell_weights(labels: Tensor, sources: Tensor) -> Tensor:
    """[N] probabilities of draws: every label equally often, and within a label every source that has it."""
    _, cell, counts = _cells(labels, sources)
    return _classes_equal(1 / counts[cell].double(), labels)


def pair_weights(labels: Tensor, sources: Tensor) -> Tensor:
    """[N] probabilities of draws that favour images whose source also has another label: then the source predicts less.

    An image weighs 1/√(images of its label and source), times `PAIRED` if its source has several labels. Then weights
    are scaled so that every label is drawn equally often (the data's README, "Pairs").
    """
    cells, cell, counts = _cells(labels, sources)
    labels_of_source = torch.bincount(cells[:, 1])  # each row of `cells` is one label of a source
    favour = torch.where(labels_of_source[sources] > 1, PAIRED, 1.0)
    return _classes_equal(favour / counts[cell].double().sqrt(), labels)


def _cells(labels: Tensor, sources: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The existing pairs (label, source) [C, 2], the index of each image's pair [N], and the pairs' counts [C]."""
    pairs = torch.stack([labels, sources], dim=1)
    cells, cell, counts = pairs.unique(dim=0, return_inverse=True, return_counts=True)
    return cells, cell, counts


def _classes_equal(weights: Tensor, labels: Tensor) -> Tensor:
    totals = torch.zeros(int(labels.max()) + 1, dtype=weights.dtype).index_add_(0, labels, weights)
    return weights / totals[labels] / len(labels.unique())


def balanced_subset(labels: Tensor) -> Tensor:
    """The same number of images of each label, as a fixed draw: sorted indices [3n].

    The draw has its own fixed seed, so that every network and every seed of a study is trained on the same images.
    """
    generator = torch.Generator().manual_seed(0)
    classes, counts = labels.unique(return_counts=True)
    drawn = [_repeat_shuffled((labels == c).nonzero().flatten(), int(counts.min()), generator) for c in classes]
    return torch.cat(drawn).sort().values


def _class_balanced(labels: Tensor, generator: torch.Generator) -> Tensor:
    classes = labels.unique()
    quota = -(-len(labels) // len(classes))
    picked = [_repeat_shuffled((labels == c).nonzero().flatten(), quota, generator) for c in classes]
    pool = torch.cat(picked)
    return pool[torch.randperm(len(pool), generator=generator)][: len(labels)]


def _repeat_shuffled(indices: Tensor, count: int, generator: torch.Generator) -> Tensor:
    rounds = -(-count // len(indices))
    shuffled = [indices[torch.randperm(len(indices), generator=generator)] for _ in range(rounds)]
    return torch.cat(shuffled)[:count]
