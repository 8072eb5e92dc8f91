"""A loss term for the position of a residual network's evidence (ISNet, Bassi et al. 2024).

Bassi, Dertkigil, Cavalli, Nature Communications 15:291. The relevance of an image's labels is propagated down by the
z+ rule, through BatchNorm folded into the convolutions, to the first residual block's input: a quarter of the image's
side, where a position has a receptive field of some ten pixels. All of it is differentiable, so that training can
reduce evidence outside the lungs. It adds about twice the cost of the network itself.
"""

from dataclasses import dataclass
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from networks.architectures import Network

TINY = 1e-6  # keeps a quotient finite if there are no contributions


@dataclass(frozen=True, slots=True)
class _Seen:
    """A block's input, the activations between its convolutions, and both summands of its output before the ReLU."""

    block: BasicBlock
    given: Tensor
    between: Tensor
    branch: Tensor
    shortcut: Tensor


class WithEvidence(nn.Module):
    """A ResNet-18 or -34 with a relevance map in one pass. It has no tensors of its own."""

    def __init__(self, network: Network) -> None:
        """Raises ValueError if the network is not a ResNet of basic blocks."""
        super().__init__()
        self.network = network
        if not any(isinstance(module, BasicBlock) for module in network.trunk.modules()):
            raise ValueError("evidence is for a ResNet-18 or -34")

    def forward(self, image: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
        """Images [N, 1, H, W] and shares of labels [N, K] → logits [N, K] and a map [N, 1, H / 4, W / 4] ≥ 0."""
        trunk = dict(self.network.trunk.named_children())
        given = self.network.normalise(image)
        for name in ("conv1", "bn1", "relu", "maxpool"):
            given = trunk[name](given)
        seen: list[_Seen] = []
        for layer in ("layer1", "layer2", "layer3", "layer4"):
            for block in cast(nn.Sequential, trunk[layer]):
                seen.append(_run(cast(BasicBlock, block), given))
                given = F.relu(seen[-1].branch + seen[-1].shortcut)
        logits: Tensor = self.network.head(given)
        linear = next(module for module in self.network.head.modules() if isinstance(module, nn.Linear))
        relevance = given * (shares @ linear.weight.clamp(min=0))[:, :, None, None]
        for step in reversed(seen):
            relevance = _through(step, relevance / (relevance.sum(dim=(1, 2, 3), keepdim=True) + TINY))
        return logits, relevance.sum(dim=1, keepdim=True)


def outside_loss(relevance: Tensor, masks: Tensor) -> Tensor:
    """-log of the share of relevance in the lungs, the mean over the images whose lungs are known.

    Args:
        relevance: [N, 1, h, w] ≥ 0.
        masks: [N, 2, S, S]: lungs, and 1 everywhere on images whose lungs are known. In a mixture of two images the
            lungs of both count as inside, if both are known.

    Returns:
        A scalar; zero if no lungs are known.
    """
    height, width = relevance.shape[-2:]
    lungs, known = F.adaptive_max_pool2d(masks, (height, width)).split(1, dim=1)
    inside = (relevance * (lungs > 0)).sum(dim=(1, 2, 3)) / (relevance.sum(dim=(1, 2, 3)) + TINY)
    counts = (known.amax(dim=(1, 2, 3)) > 0.999).to(inside.dtype)
    loss: Tensor = -((inside + TINY).log() * counts).sum() / counts.sum().clamp(min=1)
    return loss


def _run(block: BasicBlock, given: Tensor) -> _Seen:
    between = F.relu(block.bn1(block.conv1(given)))
    shortcut = given if block.downsample is None else block.downsample(given)
    return _Seen(block, given, between, block.bn2(block.conv2(between)), shortcut)


def _through(seen: _Seen, relevance: Tensor) -> Tensor:
    """Relevance of a block's output → of its input. The two summands share it by their contributions."""
    block = seen.block
    branch, shortcut = F.relu(seen.branch), F.relu(seen.shortcut)
    each = relevance / (branch + shortcut + TINY)
    between = _positive(seen.between, block.conv2, block.bn2, branch * each)
    passed = shortcut * each
    if block.downsample is not None:
        convolution, norm = block.downsample
        passed = _positive(seen.given, cast(nn.Conv2d, convolution), cast(nn.BatchNorm2d, norm), passed)
    return passed + _positive(seen.given, block.conv1, block.bn1, between)


def _positive(given: Tensor, convolution: nn.Conv2d, norm: nn.BatchNorm2d, relevance: Tensor) -> Tensor:
    """The z+ rule: an input gets an output's relevance in proportion to its positive contribution."""
    assert norm.running_var is not None
    gain = norm.weight / (norm.running_var + norm.eps).sqrt()
    weight = (convolution.weight * gain.view(-1, 1, 1, 1)).clamp(min=0)
    stride, padding = convolution.stride[0], cast(int, convolution.padding[0])
    total = F.conv2d(given, weight, stride=stride, padding=padding)
    lost = given.shape[-1] - ((total.shape[-1] - 1) * stride - 2 * padding + weight.shape[-1])
    back = F.conv_transpose2d(relevance / (total + TINY), weight, stride=stride, padding=padding, output_padding=lost)
    return given * back
