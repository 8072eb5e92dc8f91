"""A DenseNet with fused BatchNorms and ReLUs computes the same."""

import torch
from torch import Tensor, nn

from networks.architectures import build
from training.fusion import BatchNormReLU, fuse_norm_relu


def dense() -> nn.Module:
    torch.manual_seed(0)
    return build("densenet161").double()


def loss_and_gradients(network: nn.Module, images: Tensor) -> tuple[Tensor, list[Tensor]]:
    logits = network.train()(images)
    loss = logits.square().sum()
    return logits, list(torch.autograd.grad(loss, list(network.parameters())))


def test_a_fused_densenet_is_the_densenet() -> None:
    images = torch.randint(0, 256, (2, 1, 32, 32), generator=torch.Generator().manual_seed(1))
    plain, fused = dense(), fuse_norm_relu(dense())
    assert sum(isinstance(module, BatchNormReLU) for module in fused.modules()) == 161
    assert not any(isinstance(module, nn.ReLU) for module in fused.modules())
    (expected, gradients), (actual, fused_gradients) = (loss_and_gradients(n, images) for n in (plain, fused))
    torch.testing.assert_close(actual, expected)
    torch.testing.assert_close(fused_gradients, gradients)
    states = plain.state_dict(), fused.state_dict()
    assert list(states[0]) == list(states[1])
    torch.testing.assert_close(states[1], states[0])  # running statistics and step counters too
    torch.testing.assert_close(fused.eval()(images), plain.eval()(images))
