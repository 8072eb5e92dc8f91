"""The second head's map: where a radiologist would draw a box around an opacity."""

from typing import Final

import torch
from torch import Tensor

from networks.architectures import Network

FAINT: Final = 0.25
"""The least of a cell that a box must be expected to cover. On the training split's images of SIIM-FISABIO-RSNA 95 % of
those with boxes reach it somewhere, and a quarter of the normal ones do."""


def opacity(network: Network, images: Tensor, _targets: Tensor) -> Tensor:
    """What the second head marks: `opacities`, or nothing where they reach `FAINT` nowhere.

    A map is shown by its own strongest cell, and would else have one in every lung. It was taught by radiologists'
    boxes and not by labels, so that it is the same for every target.

    Returns:
        [N, h, w] in [0, 1].
    """
    maps = opacities(network, images)
    return torch.where(maps.amax(dim=(1, 2), keepdim=True) >= FAINT, maps, 0.0)


def opacities(network: Network, images: Tensor) -> Tensor:
    """For each cell of A, what share of it the second head expects radiologists' boxes to cover.

    Args:
        network: with the second head (`networks.opacity_head`), in evaluation mode.
        images: [N, 1, H, W] uint8.

    Returns:
        [N, h, w] in [0, 1].

    Raises:
        ValueError: the network has no second head.
    """
    if network.opacities is None:
        raise ValueError("this network has no opacity head")
    with torch.no_grad():
        logits: Tensor = network.opacities(network.activations(images))
    return logits[:, 0].sigmoid()
