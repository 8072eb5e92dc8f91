"""BatchNorm and ReLU fused into one kernel, which makes DenseNets faster to train.

A DenseNet spends its time on normalising ever longer concatenations, not on convolutions. `torch.compile` of a whole
DenseNet takes over five minutes, because each layer has its own shape. Compiled with symbolic shapes, the pair of
layers reaches a third of the memory bandwidth (docs/decisions.md). Hence the separate kernels.
"""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn


def fuse_norm_relu(network: nn.Module) -> nn.Module:
    """Replace, in place, every BatchNorm2d before a ReLU by the fused layer. Parameters and names stay."""
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
        if not (self.training and input.is_cuda):
            return F.relu(super().forward(input))
        from training.norm_relu import norm_relu  # imported here, because only the CUDA builds of torch include Triton

        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        return norm_relu(input, self.weight, self.bias, self.running_mean, self.running_var, self.momentum, self.eps)
