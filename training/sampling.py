"""The order in which an epoch visits the training images."""

import torch
from torch import Tensor


def epoch_order(labels: Tensor, balanced: bool, generator: torch.Generator) -> Tensor:
    """Indices of one epoch, as many as there are images.

    Args:
        labels: [N] integer labels.
        balanced: every label equally often, small classes repeated in fresh permutations and large ones cut;
            otherwise every image once.
        generator: on the CPU, so that the order is the same on every device.

    Returns:
        [N] int64 indices.
    """
    if not balanced:
        return torch.randperm(len(labels), generator=generator)
    classes = labels.unique()
    quota = -(-len(labels) // len(classes))
    picked = [_repeat_shuffled((labels == c).nonzero().flatten(), quota, generator) for c in classes]
    pool = torch.cat(picked)
    return pool[torch.randperm(len(pool), generator=generator)][: len(labels)]


def _repeat_shuffled(indices: Tensor, count: int, generator: torch.Generator) -> Tensor:
    rounds = -(-count // len(indices))
    shuffled = [indices[torch.randperm(len(indices), generator=generator)] for _ in range(rounds)]
    return torch.cat(shuffled)[:count]
