"""A DenseNet with fused BatchNorms and ReLUs computes the same."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
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


def test_on_a_gpu_training_goes_through_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """What they compute, tests/training/test_norm_relu.py asks."""
    asked: list[tuple[Any, ...]] = []
    kernels = ModuleType("training.norm_relu")
    kernels.norm_relu = lambda *given: asked.append(given)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "training.norm_relu", kernels)
    layer, image = BatchNormReLU(nn.BatchNorm2d(4, eps=1e-3, momentum=0.2)), SimpleNamespace(is_cuda=True)
    layer.forward(image)  # type: ignore[arg-type]
    assert layer.num_batches_tracked == 1
    ((given, weight, bias, mean, var, momentum, eps),) = asked
    assert given is image
    learnt = (layer.weight, layer.bias, layer.running_mean, layer.running_var)
    assert all(one is other for one, other in zip((weight, bias, mean, var), learnt, strict=True))
    assert (momentum, eps) == (0.2, 1e-3)
