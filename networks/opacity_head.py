"""A second head that predicts radiologists' boxes around opacities: one 1 x 1 convolution over a network's A.

The head adds two tensors to a network's state dict, `opacities.weight` [1, C, 1, 1] and `opacities.bias` [1]. A network
without it has neither.
"""

from typing import TYPE_CHECKING, Final

from torch import Tensor, nn

if TYPE_CHECKING:  # `architectures` imports this module
    from networks.architectures import Network

MARK: Final = "opacities.weight"
"""The name of a tensor that a state dict has only if the network has the head."""


def add_opacity_head(network: "Network") -> "Network":
    """Add the head to a network, in place, with torch's random initialisation. Returns the network."""
    linear = next(module for module in network.head.modules() if isinstance(module, nn.Linear))
    network.opacities = nn.Conv2d(linear.in_features, 1, kernel_size=1)  # pooling before the first linear keeps C
    return network


class BothHeads(nn.Module):
    """A network's two outputs in one pass, for training and for export. It has no tensors of its own.

    `forward` maps uint8 [N, 1, H, W] to logits [N, 3] and to logits [N, 1, h, w] of the share of each cell of A that
    opacities cover.
    """

    def __init__(self, network: "Network") -> None:
        """Raises ValueError if the network has no opacity head."""
        super().__init__()
        if network.opacities is None:
            raise ValueError("this network has no opacity head")
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        activations = self.network.activations(image)
        assert self.network.opacities is not None
        return self.network.head(activations), self.network.opacities(activations)
