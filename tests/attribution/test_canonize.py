"""Canonical copies: the same logits, and an unchanged original network."""

import copy

import pytest
import torch
from torch import Tensor, nn

from attribution.canonize import CanonicalNetwork, canonize, run
from cxr.model.architecture import Architecture
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle
from networks.architectures import Network, load_member
from tests.attribution.networks import batch, randomised
from tests.networks.every import EVERY


def assert_same_logits(network: Network, canonical: CanonicalNetwork, images: Tensor, relative: float) -> None:
    with torch.no_grad():
        expected, actual = network(images), canonical(images)
        torch.testing.assert_close(actual, expected, rtol=0, atol=relative * expected.abs().max().item())
        activations = network.activations(images)
        largest = activations.max().item()
        torch.testing.assert_close(canonical.activations(images), activations, rtol=0, atol=relative * largest)


@pytest.mark.parametrize("architecture", EVERY)
def test_logits_stay(architecture: Architecture) -> None:
    network = randomised(architecture)
    assert_same_logits(network, canonize(network), batch(2), 1e-5)


def test_logits_of_the_shipped_model_stay() -> None:
    bundle = Bundle(DEFAULT_BUNDLE)
    for member in bundle.manifest.members:
        network = load_member(bundle, member)
        assert_same_logits(network, canonize(network), batch(2, bundle.manifest.recipe.size), 1e-5)


@pytest.mark.parametrize("architecture", ["vgg16_bn", "resnet18", "densenet161"])
def test_in_double_precision_they_are_the_same(architecture: Architecture) -> None:
    network = copy.deepcopy(randomised(architecture)).double()
    assert_same_logits(network, canonize(network), batch(1), 1e-12)


@pytest.mark.parametrize("architecture", EVERY)
def test_every_convolution_but_the_first_reads_positive_values(architecture: Architecture) -> None:
    """The rule z+ requires this."""
    canonical, minima = canonize(randomised(architecture)), []

    def watch(leaf: nn.Module, *inputs: Tensor) -> Tensor:
        if isinstance(leaf, nn.Conv2d):
            minima.append(inputs[0].min().item())
        output: Tensor = leaf(*inputs)
        return output

    with torch.no_grad():
        run(canonical.trunk, canonical.normalise(batch(1)), watch)
    assert minima[0] < 0
    assert min(minima[1:]) >= 0
    assert len(minima) > 12


@pytest.mark.parametrize("architecture", EVERY)
def test_each_leaf_is_used_once_and_none_in_place(architecture: Architecture) -> None:
    canonical, used = canonize(randomised(architecture)), []

    def count(leaf: nn.Module, *inputs: Tensor) -> Tensor:
        before = [x.clone() for x in inputs]
        output: Tensor = leaf(*inputs)
        assert all(torch.equal(x, y) for x, y in zip(inputs, before, strict=True)), leaf
        used.append(leaf)
        return output

    with torch.no_grad():
        run(canonical.head, run(canonical.trunk, canonical.normalise(batch(1)), count), count)
    assert len({id(leaf) for leaf in used}) == len(used)
    assert not any(isinstance(leaf, nn.Dropout) for leaf in used)


@pytest.mark.parametrize("architecture", ["vgg16_bn", "resnet18", "densenet161"])
def test_the_original_network_is_unchanged(architecture: Architecture) -> None:
    network = copy.deepcopy(randomised(architecture)).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    canonical = canonize(network)
    assert not canonical.training
    assert not any(parameter.requires_grad for parameter in canonical.parameters())
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    addresses = {tensor.data_ptr() for tensor in network.state_dict().values()}
    assert not addresses & {tensor.data_ptr() for tensor in canonical.state_dict().values()}
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_what_has_no_canonical_form_is_refused() -> None:
    network = Network(nn.Sequential(nn.Conv2d(1, 3, 3), nn.GELU()), nn.Sequential(nn.Flatten(), nn.Linear(3, 3)))
    with pytest.raises(TypeError, match="GELU has no canonical form"):
        canonize(network)
