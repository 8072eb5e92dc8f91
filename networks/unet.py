"""The lung segmenter: a small U-Net."""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from cxr.errors import BundleError

if TYPE_CHECKING:  # not at run time, so that training/ runs without pydantic
    from cxr.model.bundle import Bundle, Segmenter

WIDTHS: Final = (8, 16, 32, 64)
STRIDE: Final = 2 ** len(WIDTHS)  # of the deepest level; the side of a frame must be a multiple of this


class UNet(nn.Module):
    """Ronneberger et al. 2015, with BatchNorm, a stem that halves the resolution, and 0.12 M weights.

    Half of 64 pixels, interpolated, is fine enough: a lung frame's border is blurred, and a zone is a third of a lung.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS, outputs: int = 1) -> None:
        super().__init__()
        self.stem = block(1, widths[0], stride=2)
        self.down = nn.ModuleList(block(a, b, stride=2) for a, b in pairwise(widths))
        rising = tuple(reversed(widths))
        self.up = nn.ModuleList(block(a + b, b) for a, b in pairwise(rising))
        self.head = nn.Conv2d(widths[0], outputs, kernel_size=1)

    def outlines(self, image: Tensor) -> Tensor:
        """uint8 or float32 [N, 1, S, S] in 0..255, S a multiple of 2 ** levels → logits [N, outputs, S, S]."""
        levels = [self.stem((image.float() - 127.5) / 63.75)]
        for down in self.down:
            levels.append(down(levels[-1]))
        x = levels.pop()
        for up in self.up:
            x = up(torch.cat([F.interpolate(x, scale_factor=2.0), levels.pop()], dim=1))
        return F.interpolate(self.head(x), scale_factor=2.0, mode="bilinear", align_corners=False)

    def forward(self, image: Tensor) -> Tensor:
        """The first output's logits [N, S, S] of being lung."""
        return self.outlines(image)[:, 0]


def load_segmenter(bundle: "Bundle", segmenter: "Segmenter") -> UNet:
    """A bundle's segmenter in evaluation mode and float32, on the CPU.

    Raises:
        BundleError: its weights are missing, altered, or not a U-Net's.
    """
    try:
        tensors = load(bundle.read_weights(segmenter))
        network = UNet(*_shape(tensors))
        network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    except (KeyError, RuntimeError, SafetensorError):
        raise BundleError(f"{bundle.root / 'weights' / segmenter.weights} is not a U-Net's") from None
    return network.eval()


def _shape(tensors: Mapping[str, Tensor]) -> tuple[tuple[int, ...], int]:
    """The widths and the number of outputs of the network that these weights belong to."""
    deeper = sum(name.startswith("down.") and name.endswith(".0.weight") for name in tensors)
    names = ["stem.0.weight", *(f"down.{level}.0.weight" for level in range(deeper))]
    return tuple(len(tensors[name]) for name in names), len(tensors["head.weight"])


def block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Two 3 x 3 convolutions, each with BatchNorm and ReLU; the first one may halve the resolution."""
    return nn.Sequential(*_convolution(inputs, outputs, stride), *_convolution(outputs, outputs, 1))


def _convolution(inputs: int, outputs: int, stride: int) -> Iterable[nn.Module]:
    yield nn.Conv2d(inputs, outputs, kernel_size=3, stride=stride, padding=1, bias=False)
    yield nn.BatchNorm2d(outputs)
    yield nn.ReLU(inplace=True)
