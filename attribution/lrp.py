"""Layer-wise relevance propagation: the contribution of each pixel to a logit (Bach et al. 2015).

Relevance follows the path of the gradient. Each leaf of a canonical network becomes an autograd function: forward it
computes the layer, backward its rule. Autograd handles the branches of residual and dense blocks. There are no hooks,
no changed weights and no state: several threads may share a network.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from attribution.canonize import Add, Apply, CanonicalNetwork, run
from attribution.rules import Epsilon, Flat, Inputs, Rule, ZBox, ZPlus, proportional


@dataclass(frozen=True, slots=True)
class Composite:
    """The rule for each kind of layer: first layer (pixels), convolutions, dense layers.

    Activations and BatchNorm pass relevance on unchanged. Max pools give it to the maximum. Sums and average pools
    divide it in proportion.
    """

    first: Rule
    convolution: Rule
    dense: Rule


EPSILON_PLUS_FLAT: Final = Composite(Flat(), ZPlus(), Epsilon())
EPSILON_PLUS_BOX: Final = Composite(ZBox(-2.0, 2.0), ZPlus(), Epsilon())  # the range of `Network.normalise`


def lrp(
    canonical: CanonicalNetwork, images: Tensor, targets: Tensor, composite: Composite = EPSILON_PLUS_FLAT
) -> Tensor:
    """The relevance of every pixel for one logit of each image.

    The target's logit is divided among the pixels. The rules of the two composites above give biases no share, so the
    sum over an image's pixels is the logit, except for rounding and for relevance that reaches a neuron without input.

    Args:
        canonical: from `attribution.canonize.canonize`, in evaluation mode.
        images: [N, 1, H, W] uint8.
        targets: [N] int64, for each image the index of the label to explain.
        composite: the rules.

    Returns:
        [N, H, W] in units of the logit: positive for evidence for the label, negative against it. If all rules use
        positive contributions only, every pixel has the logit's sign. Each map depends on its own image only.

    Raises:
        ValueError: the network is in training mode.
    """
    if canonical.training:
        raise ValueError("relevance needs the network in evaluation mode")
    apply = _applying(canonical, composite)
    with torch.enable_grad():
        pixels = canonical.normalise(images).requires_grad_()
        logits = run(canonical.head, run(canonical.trunk, pixels, apply), apply)
        chosen = logits.gather(1, targets[:, None])
        (relevance,) = torch.autograd.grad(chosen, pixels, chosen.detach())
    return relevance[:, 0]


def _applying(canonical: CanonicalNetwork, composite: Composite) -> Apply:
    """Apply leaves with their rules. Max pools and Flatten keep their gradient, which is their rule."""
    first = next(module for module in canonical.modules() if isinstance(module, nn.Conv2d))

    def apply(leaf: nn.Module, *inputs: Tensor) -> Tensor:
        output: Tensor
        if isinstance(leaf, nn.ReLU | nn.BatchNorm2d):
            output = _Passed.apply(leaf, *inputs)
        else:
            rule = composite.first if leaf is first else _rule(leaf, composite)
            output = leaf(*inputs) if rule is None else _Ruled.apply(rule, leaf, *inputs)
        return output

    return apply


def _rule(leaf: nn.Module, composite: Composite) -> Rule | None:
    match leaf:
        case nn.Conv2d():
            return composite.convolution
        case nn.Linear():
            return composite.dense
        case Add() | nn.AvgPool2d() | nn.AdaptiveAvgPool2d():
            return proportional
        case _:
            return None


class _Passed(torch.autograd.Function):
    """A layer whose gradient is 1."""

    @staticmethod
    def forward(_: Any, leaf: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        return leaf(x)

    @staticmethod
    def backward(_: Any, relevance: Tensor) -> tuple[None, Tensor]:
        return None, relevance


class _Ruled(torch.autograd.Function):
    """A layer whose gradient is a rule's relevance."""

    @staticmethod
    def forward(ctx: Any, rule: Rule, leaf: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        ctx.rule, ctx.leaf = rule, leaf
        ctx.save_for_backward(*inputs)
        return leaf(*inputs)

    @staticmethod
    def backward(ctx: Any, relevance: Tensor) -> tuple[Tensor | None, ...]:
        inputs: Inputs = ctx.saved_tensors
        return None, None, *ctx.rule(ctx.leaf, inputs, relevance)
