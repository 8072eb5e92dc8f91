"""ReLU(BatchNorm(x)) and its gradient by Triton kernels, for images in channels-last memory.

Such an image batch is a matrix with one row per pixel and one column per channel. Both passes are limited by memory, so
each reads and writes as little as possible. Forward: one read for the moments, one read and one write for the result.
Backward: two reads for the sums, two reads and one write for the gradient. Only the input and the moments are saved.
"""

from typing import Any, Final

import torch
import triton
from torch import Tensor

from training import norm_relu_kernels as kernels

ROWS: Final = 32
CHANNELS: Final = 64
PROGRAMS: Final = (
    2048  # strips of rows times blocks of channels that are summed in parallel: enough to fill the largest GPU
)


def norm_relu(
    x: Tensor, weight: Tensor, bias: Tensor, running_mean: Tensor, running_var: Tensor, momentum: float, eps: float
) -> Tensor:
    """Normalise by the batch's own moments, scale, shift and rectify; the running moments are updated in place.

    Args:
        x: [N, C, H, W], of any floating type and more than one pixel in all.
        weight: [C] float32, as are the other vectors.
        bias: [C].
        running_mean: [C], moved towards the batch's mean by `momentum`.
        running_var: [C], towards the unbiased variance.
        momentum: in [0, 1].
        eps: added to the variance.

    Returns:
        [N, C, H, W] ≥ 0, of x's type, in channels-last memory.
    """
    result: Tensor = _NormReLU.apply(x, weight, bias, running_mean, running_var, momentum, eps)
    return result


class _NormReLU(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        running_mean: Tensor,
        running_var: Tensor,
        momentum: float,
        eps: float,
    ) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        rows, channels, strips, strip = _strips(x)
        blocks = triton.cdiv(channels, CHANNELS)
        partial, moments = _floats(x, 2, strips, channels), _floats(x, 2, channels)
        y = torch.empty_like(x)
        kernels.sum_moments[(strips, blocks)](x, partial, rows, channels, strip, ROWS, CHANNELS)
        kernels.end_moments[(blocks,)](
            partial, moments, running_mean, running_var, rows, channels, strips, strip, momentum, eps, CHANNELS
        )
        grid = (triton.cdiv(rows, ROWS), blocks)
        kernels.normalise[grid](x, moments, weight, bias, y, rows, channels, ROWS, CHANNELS)
        ctx.save_for_backward(x, weight, bias, moments)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, moments = ctx.saved_tensors
        dy = gradients[0].contiguous(memory_format=torch.channels_last)
        rows, channels, strips, strip = _strips(x)
        blocks = triton.cdiv(channels, CHANNELS)
        partial, dx = _floats(x, strips, 2, channels), torch.empty_like(x)
        kernels.sum_gradients[(strips, blocks)](
            x, dy, moments, weight, bias, partial, rows, channels, strip, ROWS, CHANNELS
        )
        sums = partial.sum(0)
        grid = (triton.cdiv(rows, ROWS), blocks)
        kernels.differentiate[grid](x, dy, moments, weight, bias, sums, dx, rows, channels, ROWS, CHANNELS)
        return dx, sums[1], sums[0], None, None, None, None


def _floats(like: Tensor, *shape: int) -> Tensor:
    return torch.empty(shape, dtype=torch.float32, device=like.device)


def _strips(x: Tensor) -> tuple[int, int, int, int]:
    """Rows and channels of x as a matrix, the number of strips for summation, and the rows of a strip."""
    channels = x.shape[1]
    rows = x.numel() // channels
    wanted = max(1, PROGRAMS // triton.cdiv(channels, CHANNELS))
    strip = triton.cdiv(triton.cdiv(rows, wanted), ROWS) * ROWS
    return rows, channels, triton.cdiv(rows, strip), strip
