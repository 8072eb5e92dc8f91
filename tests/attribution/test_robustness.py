"""Sensitivity compared with captum's; cascading randomisation."""

import copy
import itertools
from collections import OrderedDict

import pytest
import torch
from captum.metrics import sensitivity_max
from torch import Tensor, nn

from attribution.canonize import CanonicalNetwork, canonize
from attribution.gradcam import gradcam
from attribution.lrp import lrp
from attribution.metrics import centred_gaussian
from attribution.robustness import DRAWS, RADIUS, STAGES, cascade, max_sensitivity
from evaluation.maps.explanations import rank_correlation
from networks.architectures import Network
from tests.attribution.networks import batch, randomised


def test_max_sensitivity_is_captums() -> None:
    canonical, images, targets = canonize(randomised("resnet18")), batch(3), torch.tensor([0, 1, 2])
    actual = max_sensitivity(lrp, canonical, images, targets, torch.Generator().manual_seed(3))
    generator = torch.Generator().manual_seed(3)

    def perturb(inputs: Tensor) -> Tensor:
        noise = torch.randint(-RADIUS, RADIUS + 1, inputs.shape, generator=generator)
        return (inputs + noise).clamp(0, 255)

    def explain(inputs: Tensor | tuple[Tensor]) -> Tensor | tuple[Tensor]:  # captum calls it both ways
        if isinstance(inputs, tuple):
            return (lrp(canonical, inputs[0].to(torch.uint8), targets),)
        return lrp(canonical, inputs.to(torch.uint8), targets)

    expected = sensitivity_max(explain, images.float(), perturb, n_perturb_samples=DRAWS, max_examples_per_batch=3)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-6)
    assert (actual > 0).all()


def test_noise_is_as_invisible_as_captums() -> None:
    """A fiftieth of the range."""
    assert pytest.approx(0.02, abs=0.001) == RADIUS / 255


def test_a_map_that_ignores_the_image_is_insensitive_and_one_of_nothing_has_no_figure() -> None:
    canonical, images, targets = canonize(randomised("resnet18")), batch(1), torch.tensor([0])

    def nothing(_: CanonicalNetwork, images: Tensor, __: Tensor) -> Tensor:
        return torch.zeros(len(images), 7, 7)

    assert max_sensitivity(centred_gaussian, canonical, images, targets, torch.Generator()) == 0
    assert max_sensitivity(nothing, canonical, images, targets, torch.Generator()).isnan().all()


def test_the_cascade_goes_from_the_logits_down_and_keeps_every_value() -> None:
    trunk = OrderedDict[str, nn.Module](
        conv1=nn.Conv2d(1, 8, 3), bn1=nn.BatchNorm2d(8), conv2=nn.Conv2d(8, 8, 3), bn2=nn.BatchNorm2d(8)
    )
    network = Network(nn.Sequential(trunk), nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)))
    for norm in (network.get_submodule("trunk.bn1"), network.get_submodule("trunk.bn2")):
        for value in norm.parameters():
            nn.init.normal_(value)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    copies = [copy.deepcopy(copied).state_dict() for copied in cascade(network, torch.Generator().manual_seed(0))]
    assert len(copies) == len(STAGES)
    changed = [{name for name, tensor in state.items() if not torch.equal(tensor, before[name])} for state in copies]
    assert changed[0] == {"head.2.weight", "head.2.bias"}
    assert all(fewer < more for fewer, more in itertools.pairwise(changed))
    assert "trunk.conv1.weight" not in changed[-2]
    assert "trunk.conv1.weight" in changed[-1]
    for name, tensor in copies[-1].items():
        assert torch.equal(tensor.flatten().sort().values, before[name].flatten().sort().values), name
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_a_randomised_network_has_other_maps() -> None:
    network, images, targets = randomised("resnet18"), batch(4, 64), torch.zeros(4, dtype=torch.int64)
    *_, last = cascade(network, torch.Generator().manual_seed(0))
    known, unknown = canonize(network), canonize(last)
    for attribute in (gradcam, lrp):
        same = rank_correlation(attribute(known, images, targets), attribute(known, images, targets))
        torch.testing.assert_close(same, torch.ones(4).double())
        other = rank_correlation(attribute(known, images, targets), attribute(unknown, images, targets))
        assert other.mean() < 0.8
