"""BatchNorm and ReLU as one compiled function: what makes a DenseNet quick to train.

A DenseNet's time goes into normalising ever longer concatenations, not into its convolutions. `torch.compile` of a
whole one takes longer than five minutes, since each of its layers has a shape of its own (docs/decisions.md). This one
function is compiled once, with symbolic shapes, for all of them.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def fuse_norm_relu(network: nn.Module) -> nn.Module:
    """Replace, in place, every BatchNorm2d that a ReLU follows by both in one; parameters and names stay."""
    for parent in list(network.modules()):
        for (name, norm), (after, relu) in pairwise(list(parent.named_children())):
            if isinstance(norm, nn.BatchNorm2d) and isinstance(relu, nn.ReLU):
                setattr(parent, name, BatchNormReLU(norm))
                setattr(parent, after, nn.Identity())
    return network


class BatchNormReLU(nn.BatchNorm2d):
    """ReLU(BatchNorm(x)), with the parameters and statistics of a BatchNorm2d."""

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum)
        self.train(norm.training)
        for name, parameter in norm.named_parameters():
            setattr(self, name, parameter)
        for name, buffer in norm.named_buffers():
            setattr(self, name, buffer)

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return F.relu(super().forward(input))
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        # Views, because TorchDynamo takes the shape of a parameter for a constant.
        weight, bias = self.weight.view(-1), self.bias.view(-1)
        return _norm_relu(input, self.running_mean, self.running_var, weight, bias, self.momentum, self.eps)


@torch.compile(dynamic=True)
def _norm_relu(
    x: Tensor, mean: Tensor, variance: Tensor, weight: Tensor, bias: Tensor, momentum: float, eps: float
) -> Tensor:
    return F.relu(F.batch_norm(x, mean, variance, weight, bias, training=True, momentum=momentum, eps=eps))
