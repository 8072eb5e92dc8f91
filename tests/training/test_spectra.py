"""Singular values as WeightWatcher counts them."""

import numpy as np
import torch
from torch import nn

from training.spectra import singular_values


def test_a_convolution_is_as_many_matrices_as_its_filter_has_places() -> None:
    torch.manual_seed(0)
    convolution, linear = nn.Conv2d(4, 6, 3), nn.Linear(6, 2)
    network = nn.Sequential(convolution, nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), linear)
    found = singular_values(network)
    assert {name: len(values) for name, values in found.items()} == {"0": 9 * 4, "4": 2}
    filters = convolution.weight.detach().double().numpy()
    slow = [np.linalg.svd(filters[:, :, i, j], compute_uv=False) for i in range(3) for j in range(3)]
    np.testing.assert_allclose(found["0"], np.sort(np.concatenate(slow))[::-1], rtol=1e-5)
    np.testing.assert_allclose(found["4"], np.linalg.svd(linear.weight.detach().numpy(), compute_uv=False), rtol=1e-5)
