"""The second head's map: where a radiologist would probably draw a box around an opacity."""

from typing import Final

import torch
from torch import Tensor

from networks.architectures import Network

FAINT: Final = 0.25
"""The smallest predicted share of a cell that counts as a mark. On the training split of SIIM-FISABIO-RSNA 95 % of the
images with boxes reach it in some cell, and a quarter of the normal ones do."""


def opacity(network: Network, images: Tensor, _targets: Tensor) -> Tensor:
    """The second head's marks: `opacities`, or all 0 if no cell reaches `FAINT`.

    Without this limit every image would show a mark, because a map is drawn relative to its strongest cell. The head
    was trained on radiologists' boxes and not on labels, so the map is the same for every target.

    Returns:
        [N, h, w] in [0, 1].
    """
    maps = opacities(network, images)
    return torch.where(maps.amax(dim=(1, 2), keepdim=True) >= FAINT, maps, 0.0)


def opacities(network: Network, images: Tensor) -> Tensor:
    """For each cell of A, the share that radiologists' boxes cover, as predicted by the second head.

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
