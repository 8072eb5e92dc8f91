"""The kernels of ReLU(BatchNorm(x)) against PyTorch: in Triton's interpreter on a CPU (see conftest), and on a GPU."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

pytest.importorskip("triton")

from training import norm_relu

SHAPES = [(3, 8, 5, 7), (2, 96, 9, 9), (1, 130, 8, 4), (4, 48, 33, 31)]


def random_case(shape: tuple[int, ...], device: str = "cpu", dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """x, with a mean far from zero; weights of both signs; the running moments; and the output's gradient."""
    rng = torch.Generator().manual_seed(sum(shape))
    draws = [torch.randn(size, generator=rng) for size in (shape, shape[1], shape[1], shape[1], shape[1], shape)]
    draws[0], draws[4] = (3 * draws[0] + 20).to(dtype), draws[4].abs()
    draws[5] = draws[5].to(dtype)
    draws = [draw.to(device) for draw in draws]
    return [draw.to(memory_format=torch.channels_last) if draw.ndim == 4 else draw for draw in draws]


def expected(x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, var: Tensor, dy: Tensor) -> list[Tensor]:
    """The result of PyTorch in double precision."""
    x, weight, bias, mean, var = (one.double() for one in (x, weight, bias, mean, var))
    learnt = [one.requires_grad_() for one in (x, weight, bias)]
    y = F.relu(F.batch_norm(x, mean, var, weight, bias, training=True, momentum=0.1, eps=1e-5))
    return [y.detach(), mean, var, *torch.autograd.grad(y, learnt, dy.double())]


def actual(x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, var: Tensor, dy: Tensor) -> list[Tensor]:
    """The result of the kernels."""
    mean, var = mean.clone(), var.clone()
    learnt = x, weight, bias = [one.clone().requires_grad_() for one in (x, weight, bias)]
    y = norm_relu.norm_relu(x, weight, bias, mean, var, 0.1, 1e-5)
    assert y.dtype == x.dtype
    assert y.is_contiguous(memory_format=torch.channels_last)
    return [y.detach(), mean, var, *torch.autograd.grad(y, learnt, dy)]


@pytest.mark.parametrize("shape", SHAPES)
def test_they_are_batchnorm_and_relu(shape: tuple[int, ...]) -> None:
    case = random_case(shape)
    for got, wanted in zip(actual(*case), expected(*case), strict=True):
        torch.testing.assert_close(got, wanted.float(), rtol=1e-4, atol=2e-4)


def test_many_strips_are_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(norm_relu, "PROGRAMS", 7)
    case = random_case((2, 5, 17, 19))
    for got, wanted in zip(actual(*case), expected(*case), strict=True):
        torch.testing.assert_close(got, wanted.float(), rtol=1e-4, atol=2e-4)


def test_memory_in_another_order_is_brought_into_this_one() -> None:
    case = random_case((2, 6, 4, 5))
    wanted = actual(*case)
    plain = [one.contiguous() for one in case]
    for got, want in zip(actual(*plain), wanted, strict=True):
        torch.testing.assert_close(got, want)


@pytest.mark.gpu
@pytest.mark.parametrize("shape", [*SHAPES, (64, 384, 56, 56), (256, 2208, 7, 7)])
def test_on_a_gpu_in_bfloat16(shape: tuple[int, ...]) -> None:
    case = random_case(shape, "cuda", torch.bfloat16)
    for got, wanted in zip(actual(*case), expected(*case), strict=True):
        error = (got.double() - wanted).norm() / wanted.norm()
        assert error < (1e-2 if got.dtype == torch.bfloat16 else 1e-3)
