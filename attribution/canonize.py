"""Rewrite a network, with the same logits, so that relevance can be propagated through it layer by layer.

LRP's rules are defined for linear layers, activations and pools. torchvision's networks also have BatchNorm, in-place
sums and functional calls, which the rules would treat wrongly or miss. The canonical copy is a tree of

- `nn.Sequential`,
- `Residual`: add(body(x), shortcut(x)),
- `Concatenation`: x and body(x), stacked along the channels,
- and leaves, each used once: Conv2d, Linear, ReLU, BatchNorm2d, pools, Flatten, `Add`.

Only `run` traverses the tree. Every convolution except the first has inputs ≥ 0. (Montavon et al. 2019, "Layer-Wise
Relevance Propagation: An Overview"; Guillemot et al. 2020, "Breaking Batch Normalization for better explainability of
deep neural networks through Layer-wise Relevance Propagation".)
"""

import copy
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models.densenet import _DenseBlock, _DenseLayer, _Transition
from torchvision.models.resnet import BasicBlock

from networks.architectures import Network

Apply = Callable[..., Tensor]
"""How a leaf is applied to its inputs: (leaf, *inputs) → output."""


class Add(nn.Module):
    """The sum of a residual block, as a module so that a rule can apply to it."""

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Two tensors of one shape → their sum."""
        return left + right


class Residual(nn.Module):
    """add(body(x), shortcut(x)). The ReLU after it is a separate leaf."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut, self.add = body, shortcut, Add()

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, h, w] → [N, C', h', w']."""
        return run(self, x, _call)


class Concatenation(nn.Module):
    """x and body(x) stacked along the channels: the output of a layer in a dense block."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, h, w] → [N, C + growth, h, w]."""
        return run(self, x, _call)


class CanonicalNetwork(Network):
    """The result of `canonize`: a `Network` with the same A and logits, in evaluation mode, nothing trainable."""


def run(module: nn.Module, x: Tensor, apply: Apply) -> Tensor:
    """A canonical module's output for x. Each leaf is applied by `apply`."""
    match module:
        case nn.Sequential():
            for child in module:
                x = run(child, x, apply)
            return x
        case Residual():
            return apply(module.add, run(module.body, x, apply), run(module.shortcut, x, apply))
        case Concatenation():
            return torch.cat([x, run(module.body, x, apply)], dim=1)
        case _:
            return apply(module, x)


def canonize(network: Network) -> CanonicalNetwork:
    """A canonical copy of a network. The network itself is not changed and shares no tensor with the copy.

    A BatchNorm after a convolution is fused into it. A BatchNorm before a ReLU (DenseNet) stays. The average pool of a
    DenseNet's transition moves before its 1 x 1 convolution: both are linear and commute, and the pool then averages
    values ≥ 0. Dropout is removed; ReLUs are no longer in place.

    Args:
        network: any of `cxr.model.architecture.ARCHITECTURES`, in either mode, on any device, of any float type.

    Raises:
        TypeError: the network contains a module without a canonical form.
    """
    frozen = copy.deepcopy(network).eval().requires_grad_(False)
    return CanonicalNetwork(_sequence(frozen.trunk), _sequence(frozen.head)).eval()


def _call(leaf: nn.Module, *inputs: Tensor) -> Tensor:
    output: Tensor = leaf(*inputs)
    return output


def _sequence(*modules: nn.Module) -> nn.Sequential:
    """The modules' canonical forms in sequence, each convolution fused with the BatchNorm after it."""
    layers: list[nn.Module] = []
    for layer in (layer for module in modules for layer in _layers(module)):
        if layers and isinstance(layer, nn.BatchNorm2d) and isinstance(layers[-1], nn.Conv2d):
            layers[-1] = fuse_conv_bn_eval(layers[-1], layer)
        else:
            layers.append(layer)
    return nn.Sequential(*layers)


def _layers(module: nn.Module) -> Iterator[nn.Module]:
    match module:
        case _DenseBlock():
            for layer in module.values():
                assert isinstance(layer, _DenseLayer)
                yield Concatenation(
                    _sequence(layer.norm1, layer.relu1, layer.conv1, layer.norm2, layer.relu2, layer.conv2)
                )
        case _Transition():
            for layer in (module.norm, module.relu, module.pool, module.conv):
                yield from _layers(layer)
        case BasicBlock():
            body = _sequence(module.conv1, module.bn1, module.relu, module.conv2, module.bn2)
            yield Residual(body, _sequence(module.downsample) if module.downsample else nn.Sequential())
            yield nn.ReLU()
        case nn.Sequential():
            for child in module:
                yield from _layers(child)
        case nn.ReLU():
            yield nn.ReLU()
        case nn.Dropout():
            pass
        case nn.Conv2d() | nn.BatchNorm2d() | nn.Linear() | nn.Flatten():
            yield module
        case nn.MaxPool2d() | nn.AvgPool2d() | nn.AdaptiveAvgPool2d():
            yield module
        case _:
            raise TypeError(f"{type(module).__name__} has no canonical form")
