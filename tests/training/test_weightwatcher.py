"""WeightWatcher's figures: compared with known tails, with stored results of the tool, and with the tool itself."""

import warnings
from collections import OrderedDict
from itertools import count

import numpy as np
import pytest
import torch
from torch import nn

from cxr.model.architecture import ARCHITECTURES, Architecture
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle
from networks.architectures import Network, build, load_member
from training.spectra import singular_values
from training.weightwatcher import power_law_exponent, spectral_figures

# What pl_fit of weightwatcher 0.7.7 answers to `pareto_like`: number of values, seed, alpha.
ANSWERED = [(8, 0, 1.91543805), (9, 0, 1.80241729), (19, 1, 2.80441960), (20, 2, 3.00604770), (400, 3, 2.66739040)]


def pareto_like(size: int, seed: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return np.asarray(draw.pareto(1.7, size) + 0.5 + np.random.default_rng(seed).random(size))


@pytest.mark.parametrize(("size", "seed", "alpha"), ANSWERED)
def test_a_tail_has_the_exponent_that_the_tool_gives_it(size: int, seed: int, alpha: float) -> None:
    assert power_law_exponent(pareto_like(size, seed)) == pytest.approx(alpha, rel=1e-7)


@pytest.mark.parametrize("alpha", [1.8, 3.0])
def test_the_exponent_of_a_power_law_is_found_below_any_bulk(alpha: float) -> None:
    draw = np.random.default_rng(0)
    tail = (1 - draw.random(3000)) ** (-1 / (alpha - 1))
    values = np.concatenate([tail, draw.uniform(0.01, 1, 2000)])
    assert power_law_exponent(draw.permutation(values)) == pytest.approx(alpha, rel=0.08)
    assert power_law_exponent(values * 1e-3) == pytest.approx(power_law_exponent(values))


def test_figures_are_means_over_layers_that_are_large_enough() -> None:
    large, small = np.sqrt(pareto_like(400, 3)), np.ones(7, dtype=np.float32)
    squares = pareto_like(400, 3)
    found = spectral_figures({"trunk.conv": large, "head.2": large * 2, "head.6": small})
    assert found is not None
    assert found.alpha == pytest.approx(2.66739040)
    assert found.log_norm == pytest.approx(np.log10(squares.sum()) + np.log10(4 / 2) / 2)
    assert found.weighted_alpha == pytest.approx(2.66739040 * (np.log10(squares.max()) + np.log10(4 / 2) / 2))


def test_a_network_without_a_layer_to_fit_has_no_figures() -> None:
    assert spectral_figures({"head.1": np.ones(3), "head.0": np.ones(9)}) is None  # nine equal values have no tail


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_trunks_are_of_convolutions_and_heads_of_linear_layers(architecture: Architecture) -> None:
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # initialising meta tensors has no effect, and warns
        network = build(architecture)
    for name, module in network.named_modules():
        assert not isinstance(module, nn.Conv2d) or name.startswith("trunk.")
        assert not isinstance(module, nn.Linear) or name.startswith("head.")


@pytest.mark.slow
def test_the_tool_gives_a_trained_network_the_same_figures() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tool = pytest.importorskip("weightwatcher")
        bundle = Bundle(DEFAULT_BUNDLE)
        trained = load_member(bundle, bundle.explainer)
        torch.manual_seed(0)
        number = count()
        trunk = OrderedDict((f"part{next(number)}", part) for part in list(trained.trunk.children())[:6])
        trunk["nine"] = nn.Conv2d(1, 16, 3)
        network = Network(nn.Sequential(trunk), nn.Sequential(nn.Linear(96, 64), nn.Linear(512, 3))).eval()
        watcher = tool.WeightWatcher(model=network)
        summary = watcher.get_summary(watcher.analyze())
    ours = spectral_figures(singular_values(network))
    assert ours is not None
    assert ours.log_norm == pytest.approx(summary["log_norm"], abs=1e-5)
    assert ours.alpha == pytest.approx(summary["alpha"], rel=1e-4)
    assert ours.weighted_alpha == pytest.approx(summary["alpha_weighted"], rel=1e-4)
