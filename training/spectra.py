"""Singular values of a network's layers, the input of WeightWatcher's figures."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Spectra = dict[str, NDArray[np.float32]]


@torch.no_grad()
def singular_values(network: nn.Module) -> Spectra:
    """Singular values of every convolution and linear layer, by the layer's name, largest first.

    A convolution [out, in, h, w] is h · w matrices [out, in], and their singular values are pooled, as WeightWatcher
    does (Martin & Mahoney 2021): h · w · min(out, in) values. A linear layer has min(out, in).
    """
    return {
        name: _pooled(module.weight)
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    }


def _pooled(weight: Tensor) -> NDArray[np.float32]:
    matrices = weight.detach().float().cpu().reshape(*weight.shape[:2], -1).permute(2, 0, 1)
    values: NDArray[np.float32] = torch.linalg.svdvals(matrices).flatten().numpy()
    return np.sort(values)[::-1].copy()
