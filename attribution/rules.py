"""The rules of layer-wise relevance propagation: from the relevance of a layer's outputs to that of its inputs.

All rules have the form R_j = Σ_k q_jk / (Σ_i q_ik) · R_k and differ in the contribution q_jk of input j to output k
(Bach et al. 2015; Montavon et al. 2017 and 2019). **Biases do not contribute to q** unless a rule says so: what a bias
adds to an output is divided among the inputs like the rest, so that no relevance is lost on the way to the pixels.

A rule is called with the layer, the layer's inputs, and the relevance R of its output in the output's shape. It returns
the relevance of each input. Where Σ_i q_ik = 0 no input can receive R_k, and it is lost.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.grad import conv2d_input

Inputs = tuple[Tensor, ...]
Rule = Callable[[nn.Module, Inputs, Tensor], Inputs]

# Only to avoid 0 / 0. Any q in a sum below it is smaller still, so the quotient stays under 1.
TINY: Final = 1e-30


@dataclass(frozen=True, slots=True)
class Epsilon:
    """q = x·w, with the sum moved away from 0 by epsilon (Bach et al. 2015, equation 58).

    With `bias` the bias is part of the sum and keeps its share. With this rule on all layers and epsilon = 0 the result
    is LRP-0, which equals x · gradient for networks of linear layers, ReLU and max pools.
    """

    epsilon: float = 1e-12
    bias: bool = False

    def __call__(self, layer: nn.Module, inputs: Inputs, relevance: Tensor) -> Inputs:
        """For Conv2d and Linear."""
        (x,) = inputs
        linear = _Linear(layer)
        share = relevance / _away_from_zero(linear.forward(x, linear.weight, self.bias), self.epsilon)
        return (x * linear.backward(x, linear.weight, share),)


@dataclass(frozen=True, slots=True)
class ZPlus:
    """q = (x·w)⁺: positive contributions only (Bach et al. 2015, equation 60 with alpha = 1 and beta = 0).

    For x ≥ 0 this is x·w⁺, which is half the work. Inputs < 0 need `signed`: x⁺·w⁺ + x⁻·w⁻.
    """

    signed: bool = False

    def __call__(self, layer: nn.Module, inputs: Inputs, relevance: Tensor) -> Inputs:
        """For Conv2d and Linear."""
        (x,) = inputs
        if self.signed:
            return (_two_sided(_Linear(layer), x.clamp(min=0), x.clamp(max=0), relevance),)
        linear = _Linear(layer)
        weight = linear.weight.clamp(min=0)
        share = relevance / linear.forward(x, weight).clamp(min=TINY)
        return (x * linear.backward(x, weight, share),)


@dataclass(frozen=True, slots=True)
class ZBox:
    """q = x·w - low·w⁺ - high·w⁻ ≥ 0, for pixels: low ≤ x ≤ high (Montavon et al. 2017, equation 17)."""

    low: float
    high: float

    def __call__(self, layer: nn.Module, inputs: Inputs, relevance: Tensor) -> Inputs:
        """For Conv2d and Linear."""
        (x,) = inputs
        return (_two_sided(_Linear(layer), x - self.low, x - self.high, relevance),)


@dataclass(frozen=True, slots=True)
class Flat:
    """q = 1: each output divides evenly among its inputs (Lapuschkin et al. 2019; Kohlbrenner et al. 2020)."""

    def __call__(self, layer: nn.Module, inputs: Inputs, relevance: Tensor) -> Inputs:
        """For Conv2d of one group and Linear. A position's outputs share their inputs, so they are summed first."""
        (x,) = inputs
        linear = _Linear(layer)
        ones = torch.ones_like(linear.weight[:1])
        share = relevance.sum(dim=1, keepdim=True) / linear.forward(torch.ones_like(x), ones)
        return (linear.backward(x, ones, share),)


def proportional(layer: nn.Module, inputs: Inputs, relevance: Tensor) -> Inputs:
    """q = x / fan-in, for layers without weights: average pools and `Add`, which may have several inputs."""
    with torch.enable_grad():
        leaves = [x.detach().requires_grad_() for x in inputs]
        output = layer(*leaves)
    gradients = torch.autograd.grad(output, leaves, relevance / _away_from_zero(output.detach(), TINY))
    return tuple(x * gradient for x, gradient in zip(inputs, gradients, strict=True))


class _Linear:
    """A Conv2d or Linear layer with other weights: the linear map and its transpose."""

    def __init__(self, layer: nn.Module) -> None:
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        self.layer = layer
        self.weight = layer.weight.detach()

    def forward(self, x: Tensor, weight: Tensor, bias: bool = False) -> Tensor:
        """x·w, or x·w + b."""
        layer, offset = self.layer, self.layer.bias if bias else None
        if isinstance(layer, nn.Linear):
            return functional.linear(x, weight, offset)
        return functional.conv2d(x, weight, offset, layer.stride, layer.padding, layer.dilation, layer.groups)

    def backward(self, x: Tensor, weight: Tensor, output: Tensor) -> Tensor:
        """w·output, of x's shape."""
        layer = self.layer
        if isinstance(layer, nn.Linear):
            return output @ weight
        gradient: Tensor = conv2d_input(
            x.shape, weight, output, layer.stride, layer.padding, layer.dilation, layer.groups
        )
        return gradient


def _two_sided(linear: _Linear, up: Tensor, down: Tensor, relevance: Tensor) -> Tensor:
    """q = up·w⁺ + down·w⁻ ≥ 0, with up ≥ 0 ≥ down."""
    positive, negative = linear.weight.clamp(min=0), linear.weight.clamp(max=0)
    total = linear.forward(up, positive) + linear.forward(down, negative)
    share = relevance / total.clamp(min=TINY)
    return up * linear.backward(up, positive, share) + down * linear.backward(down, negative, share)


def _away_from_zero(x: Tensor, epsilon: float) -> Tensor:
    """x + epsilon · sign(x), with sign(0) = 1."""
    return torch.where(x < 0, x - epsilon, x + epsilon)
