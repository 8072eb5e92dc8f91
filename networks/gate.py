"""The gate's network, which decides whether an image is an upright frontal radiograph of a chest."""

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from cxr.errors import BundleError
from networks.unet import block

if TYPE_CHECKING:  # not at run time, so that training/ runs without pydantic
    from cxr.model.bundle import Bundle, Gate

WIDTHS: Final = (8, 24, 40, 64)
SIZE: Final = 64
FLATTEST: Final = 8.0
"""In grey levels: the smallest standard deviation that an image is divided by, so that flat images stay flat."""


class GateNetwork(nn.Module):
    """Four levels of two convolutions, and a linear layer over the remaining 4 x 4 cells: 0.1 M weights.

    There is no pooling before the last layer, so that it sees where each part is: an upside-down chest has the same
    parts in other places. Each image is first scaled to mean 0 and standard deviation 1, because brightness and
    contrast differ between hospitals.
    """

    def __init__(self) -> None:
        super().__init__()
        self.levels = nn.Sequential(*(block(a, b, stride=2) for a, b in pairwise((1, *WIDTHS))))
        cells = SIZE // 2 ** len(WIDTHS)
        self.head = nn.Linear(WIDTHS[-1] * cells * cells, 1)

    def forward(self, image: Tensor) -> Tensor:
        """uint8 [N, 1, `SIZE`, `SIZE`] → logits [N]: above 0 for such a radiograph."""
        grey = image.float()
        centred = grey - grey.mean(dim=(2, 3), keepdim=True)
        spread = centred.square().mean(dim=(2, 3), keepdim=True).sqrt().clamp(min=FLATTEST)
        return torch.flatten(self.head(torch.flatten(self.levels(centred / spread), 1)))


def load_gate(bundle: "Bundle", gate: "Gate") -> GateNetwork:
    """A bundle's gate in evaluation mode and float32, on the CPU.

    Raises:
        BundleError: its weights are missing, altered, or not a gate's.
    """
    network = GateNetwork()
    try:
        tensors = load(bundle.read_weights(gate))
        network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    except (RuntimeError, SafetensorError):
        raise BundleError(f"{bundle.root / 'weights' / gate.weights} is not a gate's") from None
    return network.eval()
