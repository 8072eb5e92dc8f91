"""Does a map hang on the image's noise, and does it hang on what the network has learnt?"""

import copy
import math
from collections.abc import Iterator
from typing import Final

import torch
from torch import Tensor, nn

from attribution.canonize import CanonicalNetwork
from attribution.metrics import Attribute
from networks.architectures import Network

RADIUS: Final = 5  # grey levels of 255, what two exposures differ by: captum's default 0.02 of the range
DRAWS: Final = 10
STAGES: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of the layers that are randomised, from the logits down; 0 stands for the last layer alone."""


def max_sensitivity(
    attribute: Attribute, network: CanonicalNetwork, images: Tensor, targets: Tensor, generator: torch.Generator
) -> Tensor:
    """The most that a map changes under noise that nobody sees, in units of its own norm; 0 is best.

    max over `DRAWS` of ‖Φ(x + δ) - Φ(x)‖ / ‖Φ(x)‖, δ uniform within ±`RADIUS` grey levels (Yeh et al. 2019,
    definition 3.1). A map that never changes is insensitive and may be worthless: read it beside infidelity.

    Returns:
        [N]; NaN where the map is all zero.
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
    """Copies of a network that know less and less: for each of `STAGES`, one randomised so far.

    Cascading randomisation of Adebayo et al. 2018. A layer is randomised by shuffling its values, each tensor for
    itself, running statistics too: what it has learnt is gone, the scale of what it does is not, so that no map
    vanishes for want of signal.

    Args:
        network: on any device; untouched.
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
        if tensor.ndim:  # not BatchNorm's step counter
            order = torch.randperm(tensor.numel(), generator=generator).to(tensor.device)
            tensor.copy_(tensor.flatten()[order].view_as(tensor))
