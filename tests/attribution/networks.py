"""Networks and images for the tests of attribution."""

from functools import cache

import pytest
import torch
from torch import Tensor, nn

from attribution import perturbation
from cxr.model.architecture import Architecture
from networks.architectures import Network, build


@cache
def randomised(architecture: Architecture) -> Network:
    """A network with random weights and random BatchNorm statistics, as after training; in evaluation mode.

    The tests share it and must not change it.
    """
    torch.manual_seed(0)
    network = build(architecture)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_mean, module.bias):
                assert tensor is not None
                nn.init.normal_(tensor, std=0.3)
            for tensor in (module.running_var, module.weight):
                assert tensor is not None
                nn.init.uniform_(tensor, 0.5, 1.5)
    return network.eval()


def coarse(patch: pytest.MonkeyPatch) -> None:
    """Few points and few squares, for tests that ask where a slow method's map goes and not how exact it is."""
    patch.setattr(perturbation, "STEPS", 2)
    patch.setattr(perturbation, "WINDOW", 4)
    patch.setattr(perturbation, "STRIDE", 4)


def batch(count: int, size: int = 32) -> Tensor:
    """[count, 1, size, size] uint8 noise."""
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 1, size, size), dtype=torch.uint8, generator=generator)
