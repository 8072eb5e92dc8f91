"""The second head: it uses the same activations as the first; a network without it is unchanged."""

import pytest
import torch
from safetensors.torch import save

from cxr.model.architecture import Architecture
from networks.architectures import build, load_weights, storable
from networks.opacity_head import BothHeads
from tests.networks.every import EVERY

IMAGE = torch.randint(0, 256, (2, 1, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("architecture", EVERY)
def test_the_head_lies_over_the_last_feature_map(architecture: Architecture) -> None:
    with torch.no_grad():
        network = build(architecture, opacity_head=True).eval()
        logits, opacities = BothHeads(network)(IMAGE)
        assert opacities.shape == (2, 1, *network.activations(IMAGE).shape[2:])
        torch.testing.assert_close(logits, network(IMAGE))


def test_it_adds_two_tensors_and_nothing_else() -> None:
    without, having = build("resnet18").state_dict(), build("resnet18", opacity_head=True).state_dict()
    assert having.keys() - without.keys() == {"opacities.weight", "opacities.bias"}
    assert without.keys() <= having.keys()


@pytest.mark.parametrize("head", [False, True])
def test_weights_are_loaded_with_the_heads_that_they_hold(head: bool) -> None:
    network = build("resnet18", opacity_head=head)
    loaded = load_weights("resnet18", save(storable(network)))
    assert (loaded.opacities is not None) == head
    assert loaded.state_dict().keys() == network.state_dict().keys()


def test_a_network_without_the_head_has_not_both() -> None:
    with pytest.raises(ValueError, match="no opacity head"):
        BothHeads(build("resnet18"))


def test_the_second_heads_gradient_reaches_the_trunk() -> None:
    network = build("resnet18", opacity_head=True)
    BothHeads(network)(IMAGE)[1].sum().backward()
    assert all(parameter.grad is not None for parameter in network.trunk.parameters())
    assert all(parameter.grad is None for parameter in network.head.parameters())
