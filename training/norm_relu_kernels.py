"""The kernels of `training.norm_relu`, over tiles of matrices with one row per pixel and one column per channel.

Sums and moments are float32 for images of any type.
"""

import triton
import triton.language as tl


@triton.jit
def _tile(row, rows, channels, block, ROWS: tl.constexpr, CHANNELS: tl.constexpr):
    """Offsets of a tile in the matrix and which of them exist; the tile's channels, and which of those exist."""
    r = row + tl.arange(0, ROWS)
    c = block * CHANNELS + tl.arange(0, CHANNELS)
    inside = c < channels
    return r[:, None].to(tl.int64) * channels + c[None, :], (r < rows)[:, None] & inside[None, :], c, inside


@triton.jit
def sum_moments(x, partial, rows, channels, strip, ROWS: tl.constexpr, CHANNELS: tl.constexpr):
    """Of a strip: the sum of each channel into partial[0, strip], of its squares into partial[1, strip]."""
    total = tl.zeros((ROWS, CHANNELS), tl.float32)
    squares = tl.zeros((ROWS, CHANNELS), tl.float32)
    first = tl.program_id(0) * strip
    last = min(first + strip, rows)
    for row in range(first, last, ROWS):
        at, real, _, _ = _tile(row, last, channels, tl.program_id(1), ROWS, CHANNELS)
        value = tl.load(x + at, mask=real, other=0.0).to(tl.float32)
        total += value
        squares += value * value
    _, _, c, inside = _tile(0, rows, channels, tl.program_id(1), ROWS, CHANNELS)
    out = partial + tl.program_id(0) * channels + c
    tl.store(out, tl.sum(total, 0), mask=inside)
    tl.store(out + tl.num_programs(0) * channels, tl.sum(squares, 0), mask=inside)


@triton.jit
def end_moments(
    partial, moments, running_mean, running_var, rows, channels, strips, strip, momentum, eps, CHANNELS: tl.constexpr
):
    """Mean into moments[0] and 1 / sqrt(variance + eps) into moments[1].

    Strips are merged by Chan et al. (1979): a difference of two large sums would lose a small variance.
    """
    c = tl.program_id(0) * CHANNELS + tl.arange(0, CHANNELS)
    inside = c < channels
    mean = tl.zeros((CHANNELS,), tl.float32)
    deviation = tl.zeros((CHANNELS,), tl.float32)
    for index in range(strips):
        seen = (index * strip).to(tl.float32)
        count = min(strip, rows - index * strip).to(tl.float32)
        total = tl.load(partial + index * channels + c, mask=inside, other=0.0)
        squares = tl.load(partial + (strips + index) * channels + c, mask=inside, other=0.0)
        delta = total / count - mean
        mean += delta * (count / (seen + count))
        deviation += squares - total * total / count + delta * delta * (seen * count / (seen + count))
    variance = tl.maximum(deviation, 0.0) / rows
    tl.store(moments + c, mean, mask=inside)
    tl.store(moments + channels + c, 1.0 / tl.sqrt(variance + eps), mask=inside)
    old_mean = tl.load(running_mean + c, mask=inside)
    old_var = tl.load(running_var + c, mask=inside)
    tl.store(running_mean + c, old_mean + momentum * (mean - old_mean), mask=inside)
    tl.store(running_var + c, old_var + momentum * (variance * rows / (rows - 1.0) - old_var), mask=inside)


@triton.jit
def normalise(x, moments, weight, bias, y, rows, channels, ROWS: tl.constexpr, CHANNELS: tl.constexpr):
    at, real, c, inside = _tile(tl.program_id(0) * ROWS, rows, channels, tl.program_id(1), ROWS, CHANNELS)
    mean = tl.load(moments + c, mask=inside)
    inverse = tl.load(moments + channels + c, mask=inside)
    scale = tl.load(weight + c, mask=inside) * inverse
    shift = tl.load(bias + c, mask=inside)
    value = tl.load(x + at, mask=real).to(tl.float32)
    result = tl.maximum((value - mean[None, :]) * scale[None, :] + shift[None, :], 0.0)
    tl.store(y + at, result.to(y.dtype.element_ty), mask=real)


@triton.jit
def _rectified(x, dy, moments, weight, bias, at, real, c, inside, channels):
    """The normalised values of a tile, and the gradient before the ReLU, which is zero where the output is."""
    mean = tl.load(moments + c, mask=inside)
    inverse = tl.load(moments + channels + c, mask=inside)
    scale = tl.load(weight + c, mask=inside)
    shift = tl.load(bias + c, mask=inside)
    normal = (tl.load(x + at, mask=real, other=0.0).to(tl.float32) - mean[None, :]) * inverse[None, :]
    gradient = tl.load(dy + at, mask=real, other=0.0).to(tl.float32)
    return normal, tl.where(normal * scale[None, :] + shift[None, :] > 0.0, gradient, 0.0), scale * inverse


@triton.jit
def sum_gradients(
    x, dy, moments, weight, bias, partial, rows, channels, strip, ROWS: tl.constexpr, CHANNELS: tl.constexpr
):
    """Of a strip: the gradient of each channel's bias into partial[strip, 0], of its weight into partial[strip, 1]."""
    for_bias = tl.zeros((ROWS, CHANNELS), tl.float32)
    for_weight = tl.zeros((ROWS, CHANNELS), tl.float32)
    first = tl.program_id(0) * strip
    last = min(first + strip, rows)
    for row in range(first, last, ROWS):
        at, real, c, inside = _tile(row, last, channels, tl.program_id(1), ROWS, CHANNELS)
        normal, gradient, _ = _rectified(x, dy, moments, weight, bias, at, real, c, inside, channels)
        for_bias += gradient
        for_weight += gradient * normal
    _, _, c, inside = _tile(0, rows, channels, tl.program_id(1), ROWS, CHANNELS)
    out = partial + tl.program_id(0) * 2 * channels + c
    tl.store(out, tl.sum(for_bias, 0), mask=inside)
    tl.store(out + channels, tl.sum(for_weight, 0), mask=inside)


@triton.jit
def differentiate(x, dy, moments, weight, bias, sums, dx, rows, channels, ROWS: tl.constexpr, CHANNELS: tl.constexpr):
    """The gradient of the input (Ioffe & Szegedy 2015, section 3): its share of the mean and variance taken off."""
    at, real, c, inside = _tile(tl.program_id(0) * ROWS, rows, channels, tl.program_id(1), ROWS, CHANNELS)
    normal, gradient, slope = _rectified(x, dy, moments, weight, bias, at, real, c, inside, channels)
    by_mean = tl.load(sums + c, mask=inside) / rows
    by_variance = tl.load(sums + channels + c, mask=inside) / rows
    result = slope[None, :] * (gradient - by_mean[None, :] - normal * by_variance[None, :])
    tl.store(dx + at, result.to(dx.dtype.element_ty), mask=real)
