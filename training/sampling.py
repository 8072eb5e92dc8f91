"""Which training images an epoch visits, and in which order."""

from typing import Final, Literal, get_args

import torch
from torch import Tensor

Sampling = Literal["natural", "class_balanced", "undersampled"]
SAMPLINGS: Final[tuple[Sampling, ...]] = get_args(Sampling)


def epoch_order(labels: Tensor, sampling: Sampling, generator: torch.Generator) -> Tensor:
    """Indices of one epoch.

    Args:
        labels: [N] integer labels.
        sampling: `natural`, every image once; `class_balanced`, N images with every label equally often, small
            classes repeated in fresh permutations and large ones cut; `undersampled`, the paper's balanced
            training set, every image of `balanced_subset` once.
        generator: on the CPU, so that the order is the same on every device.

    Returns:
        Indices into `labels`, int64: N of them, or 3n where undersampled.
    """
    if sampling == "class_balanced":
        return _class_balanced(labels, generator)
    pool = balanced_subset(labels) if sampling == "undersampled" else torch.arange(len(labels))
    return pool[torch.randperm(len(pool), generator=generator)]


def balanced_subset(labels: Tensor) -> Tensor:
    """The same number of images of each label, drawn once and for all: sorted indices [3n].

    The draw has a seed of its own, so that every network and every seed of a study learns from the same images.
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
