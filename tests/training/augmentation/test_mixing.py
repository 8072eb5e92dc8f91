"""Mixup and CutMix: shares of images are the shares of their targets."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from training.augmentation.mixing import cutmix, mixup

Mix = Callable[[Tensor, Tensor, float, np.random.Generator], tuple[Tensor, Tensor]]


@pytest.mark.parametrize("mix", [mixup, cutmix])
def test_an_images_content_is_its_target(mix: Mix) -> None:
    """Each image has one grey value, so the mean of a mixture shows each image's share."""
    shares = set()
    for seed in range(20):
        inputs = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 1, 40, 24).clone()
        images, targets = mix(inputs, torch.eye(2), 1.0, np.random.default_rng(seed))
        torch.testing.assert_close(images.mean(dim=(1, 2, 3)), targets[:, 1])
        torch.testing.assert_close(targets.sum(dim=1), torch.ones(2))
        shares.add(round(float(targets[0, 1]), 3))
    assert len(shares) > 10


def test_cutmix_takes_one_rectangle() -> None:
    inputs = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 1, 40, 24).clone()
    images, _ = cutmix(inputs, torch.eye(2), 1.0, np.random.default_rng(3))
    taken = images[0, 0] == 1.0
    rows, columns = taken.any(dim=1), taken.any(dim=0)
    assert 0 < taken.sum() < taken.numel()
    assert torch.equal(taken, rows[:, None] & columns[None, :])
    assert torch.equal(images[1, 0] == 0.0, taken)
