"""The paper's six networks, and the BatchNorm variants of its VGGs, with one input channel and three outputs.

torchvision's architectures with random weights: as in the paper, networks are trained from scratch, not from ImageNet.
"""

from collections import OrderedDict
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn
from torchvision import models

from cxr.errors import BundleError
from cxr.labels import LABELS
from cxr.model.architecture import Architecture
from networks.opacity_head import MARK, add_opacity_head

if TYPE_CHECKING:  # not at run time, so that training/ runs without pydantic
    from cxr.model.bundle import Bundle, Member

# torchvision's 4,096 would mean 120 M weights for three classes; the paper's own code uses 512 to 1,024.
VGG_HEAD_WIDTH: Final = 512

GREY_LEVELS: Final = 63.75
"""The number of 8-bit grey levels in one unit of a network's input."""


class Network(nn.Module):
    """A classifier in two parts, so that a class activation map needs no hook.

    `trunk` maps normalised grey [N, 1, H, W] to the activations A [N, C, h, w] of Grad-CAM: the last ones with a
    spatial extent, after their ReLU, so ≥ 0. `head` maps A to logits [N, 3].
    """

    def __init__(self, trunk: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = head
        self.opacities: nn.Conv2d | None = None  # `networks.opacity_head` adds it
        self.grey_levels = GREY_LEVELS

    def normalise(self, image: Tensor) -> Tensor:
        """uint8 [N, 1, H, W] → the network's float type in [-2, 2]."""
        dtype = next(self.head.parameters()).dtype
        return (image.to(dtype) - 127.5) / self.grey_levels

    def activations(self, image: Tensor) -> Tensor:
        """uint8 [N, 1, H, W] → A [N, C, h, w] ≥ 0."""
        activations: Tensor = self.trunk(self.normalise(image))
        return activations

    def forward(self, image: Tensor) -> Tensor:
        """uint8 [N, 1, H, W] → logits [N, 3], in the order of `cxr.labels.LABELS`."""
        logits: Tensor = self.head(self.activations(image))
        return logits


def build(architecture: Architecture, opacity_head: bool = False) -> Network:
    """A network with torchvision's random initialisation, in training mode, optionally with the second head."""
    build_one = next(made for family, made in _FAMILIES.items() if architecture.startswith(family))
    network = build_one(architecture)
    return add_opacity_head(network) if opacity_head else network


def load_weights(architecture: Architecture, data: bytes) -> Network:
    """A network in evaluation mode and float32 from the bytes of a safetensors file, with the heads that the file has.

    Raises:
        RuntimeError: the tensors' names or shapes are not this architecture's.
    """
    tensors = load(data)
    network = build(architecture, opacity_head=MARK in tensors)
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return network.eval()


def load_member(bundle: "Bundle", member: "Member") -> Network:
    """A member of a bundle as a network in evaluation mode and float32, on the CPU.

    Raises:
        BundleError: the weights are missing, altered, not of this architecture, or have other heads than stated.
    """
    path = bundle.root / "weights" / member.weights
    try:
        network = load_weights(member.architecture, bundle.read_weights(member))
    except (RuntimeError, SafetensorError):
        raise BundleError(f"{path} does not fit {member.architecture}") from None
    if (network.opacities is not None) != member.opacity_head:
        raise BundleError(f"{path} has {'no' if member.opacity_head else 'an'} opacity head, unlike its bundle.json")
    return network


def storable(network: nn.Module) -> dict[str, Tensor]:
    """The state dict in the form for a bundle: matrices and filters in float16, vectors in float32.

    A running variance can be below float16's range, and vectors take little space. Step counters of BatchNorm are
    stored as float32 too, because the loader above expects floating-point tensors.
    """
    return {
        name: tensor.detach().cpu().to(torch.float16 if tensor.ndim > 1 else torch.float32).contiguous()
        for name, tensor in network.state_dict().items()
    }


def _resnet(architecture: Architecture) -> Network:
    body = models.get_model(architecture, weights=None, num_classes=len(LABELS))
    body.conv1 = nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3, bias=False)
    nn.init.kaiming_normal_(body.conv1.weight, mode="fan_out", nonlinearity="relu")
    names = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
    trunk = nn.Sequential(OrderedDict((name, getattr(body, name)) for name in names))
    return Network(trunk, _pooled_linear(body.fc))


def _densenet(architecture: Architecture) -> Network:
    body = models.get_model(architecture, weights=None, num_classes=len(LABELS))
    width = body.features.conv0.out_channels
    body.features.conv0 = nn.Conv2d(1, width, kernel_size=7, stride=2, padding=3, bias=False)
    nn.init.kaiming_normal_(body.features.conv0.weight)
    # torchvision applies this last ReLU as a function. The output of norm5 is signed and so cannot be Grad-CAM's A.
    body.features.add_module("relu5", nn.ReLU(inplace=False))
    return Network(body.features, _pooled_linear(body.classifier))


def _vgg(architecture: Architecture) -> Network:
    with torch.device("meta"):  # avoids initialising torchvision's head of 120 M weights, which is replaced
        body = models.get_model(architecture, weights=None)
    layers = list(body.features.to_empty(device="cpu"))
    layers[0] = nn.Conv2d(1, 64, kernel_size=3, padding=1)
    layers[-2] = nn.ReLU(inplace=False)
    for layer, after in pairwise(layers):
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")  # as torchvision does
            if isinstance(after, nn.BatchNorm2d):  # which removes a bias with the mean
                layer.bias = None
                after.reset_parameters()
            elif layer.bias is not None:
                nn.init.zeros_(layer.bias)
    head = nn.Sequential(
        layers[-1],  # the last max pool belongs to the head, so that A keeps 14 x 14 positions
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(512, VGG_HEAD_WIDTH),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(VGG_HEAD_WIDTH, len(LABELS)),
    )
    return Network(nn.Sequential(*layers[:-1]), head)


def _pooled_linear(linear: nn.Linear) -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear)


_FAMILIES: Final[dict[str, Callable[[Architecture], Network]]] = {
    "resnet": _resnet,
    "densenet": _densenet,
    "vgg": _vgg,
}
"""Builders by the prefix of torchvision's name."""
