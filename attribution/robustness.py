"""Robustness of a map: is it stable under image noise, and does it depend on what the network learnt?"""

import copy
import math
from collections.abc import Iterator
from typing import Final

import torch
from torch import Tensor, nn

from attribution.canonize import CanonicalNetwork
from attribution.metrics import Attribute
from networks.architectures import Network

RADIUS: Final = 5  # in grey levels of 255, the difference between two exposures: captum's default, 0.02 of the range
DRAWS: Final = 10
STAGES: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of the layers that are randomised, counted from the logits. 0 stands for the last layer only."""


def max_sensitivity(
    attribute: Attribute, network: CanonicalNetwork, images: Tensor, targets: Tensor, generator: torch.Generator
) -> Tensor:
    """The largest change of a map under invisible noise, in units of its own norm; 0 is best.

    max over `DRAWS` of ‖Φ(x + δ) - Φ(x)‖ / ‖Φ(x)‖, δ uniform within ±`RADIUS` grey levels (Yeh et al. 2019,
    definition 3.1). A constant map is perfectly stable and may be worthless, so read this together with infidelity.

    Returns:
        [N]; NaN for a map that is all zero.
    """
    maps = attribute(network, images, targets)
    distances = []
    for _ in range(DRAWS):
        noise = torch.randint(-RADIUS, RADIUS + 1, images.shape, generator=generator, device=images.device)
        noisy = (images + noise).clamp(0, 255).to(torch.uint8)
        distances.append((attribute(network, noisy, targets) - maps).flatten(1).norm(dim=1))
    sensitivity: Tensor = torch.stack(distances).amax(dim=0) / maps.flatten(1).norm(dim=1)
    return sensitivity


def cascade(network: Network, generator: torch.Generator) -> Iterator[Network]:
    """Copies of a network with more and more layers randomised, one for each of `STAGES`.

    Cascading randomisation of Adebayo et al. 2018. A layer is randomised by shuffling the values within each tensor,
    running statistics included. This removes what it learnt but keeps the scale of its output, so that no map vanishes
    for lack of signal.

    Args:
        network: on any device; it is not changed.
        generator: on the CPU.
    """
    layers = [
        name for name, module in network.named_modules() if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d)
    ]
    layers.reverse()
    copied = copy.deepcopy(network)
    done = 0
    for share in STAGES:
        upto = max(1, math.ceil(share * len(layers)))
        for name in layers[done:upto]:
            _shuffle(copied.get_submodule(name), generator)
        done = upto
        yield copied


def _shuffle(layer: nn.Module, generator: torch.Generator) -> None:
    for tensor in layer.state_dict().values():
        if tensor.ndim:  # skips BatchNorm's step counter
            order = torch.randperm(tensor.numel(), generator=generator).to(tensor.device)
            tensor.copy_(tensor.flatten()[order].view_as(tensor))
