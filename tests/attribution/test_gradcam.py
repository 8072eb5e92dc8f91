"""Class activation maps compared with captum, and with slow versions of the papers' equations."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from captum.attr import LayerGradCam
from torch import Tensor, nn

from attribution.gradcam import both, gradcam, gradcam_plus_plus
from cxr.model.architecture import Architecture
from networks.architectures import Network, build
from tests.networks.every import EVERY

Method = Callable[[Network, Tensor, Tensor], Tensor]

METHODS: tuple[Method, ...] = (gradcam_plus_plus, gradcam)


def tiny(seed: int = 0) -> Network:
    """Three channels, a head that is not linear, float64."""
    torch.manual_seed(seed)
    trunk = nn.Sequential(nn.Conv2d(1, 3, 3, stride=2), nn.ReLU())
    head = nn.Sequential(
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3)
    )
    return Network(trunk, head).double().eval()


def batch(count: int, size: int = 32) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 1, size, size), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("architecture", ["resnet18", "vgg16_bn", "densenet161"])
def test_gradcam_is_captums(architecture: Architecture) -> None:
    torch.manual_seed(0)
    network, images, targets = build(architecture).eval(), batch(3, 64), torch.arange(3)
    expected = LayerGradCam(network, network.trunk).attribute(images, target=targets, relu_attributions=True)
    maps = gradcam(network, images, targets)
    assert maps.amax() > 0
    torch.testing.assert_close(maps, expected[:, 0].detach(), rtol=1e-4, atol=1e-7)


def slow_gradcam_plus_plus(network: Network, image: Tensor, target: int) -> Tensor:
    """Grad-CAM++ as defined, before its derivation: derivatives of exp(logit), position by position."""
    activations = network.activations(image).detach().requires_grad_()
    score = network.head(activations)[0, target].exp()
    (first,) = torch.autograd.grad(score, activations, create_graph=True)
    _, channels, height, width = activations.shape
    weights = torch.zeros(channels, dtype=torch.float64)
    for k in range(channels):
        for i in range(height):
            for j in range(width):
                g1 = first[0, k, i, j]
                if g1 <= 0:
                    continue
                g2 = torch.autograd.grad(g1, activations, create_graph=True)[0][0, k, i, j]
                g3 = torch.autograd.grad(g2, activations, create_graph=True)[0][0, k, i, j]
                alpha = g2 / (2 * g2 + (activations[0, k] * g3).sum())
                weights[k] += (alpha * g1).detach()
    heatmap: Tensor = (weights[:, None, None] * activations[0]).sum(0).relu() / score
    return heatmap.detach()


@pytest.mark.parametrize("target", [0, 1, 2])
def test_gradcam_plus_plus_is_the_papers_third_derivatives(target: int) -> None:
    network, image = tiny(), batch(1, 9)
    expected = slow_gradcam_plus_plus(network, image, target)
    maps = gradcam_plus_plus(network, image, torch.tensor([target]))
    assert expected.amax() > 0
    torch.testing.assert_close(maps[0], expected, rtol=1e-10, atol=1e-14)


def test_both_at_once_equal_each_alone() -> None:
    network, images, targets = tiny(), batch(3), torch.arange(3)
    first, second = both(network, images, targets)
    assert torch.equal(first, gradcam(network, images, targets))
    assert torch.equal(second, gradcam_plus_plus(network, images, targets))


@pytest.mark.parametrize("architecture", EVERY)
def test_every_architecture_has_maps(architecture: Architecture) -> None:
    torch.manual_seed(0)
    network, images = build(architecture).eval(), batch(1)
    for method in METHODS:
        maps = method(network, images, torch.tensor([1]))
        assert maps.shape == (1, *network.activations(images).shape[2:])
        assert maps.amin() >= 0
        assert not maps.requires_grad


@pytest.mark.parametrize("method", METHODS)
def test_an_image_has_the_same_map_alone_and_in_a_batch(method: Method) -> None:
    network, images, targets = tiny(), batch(4), torch.tensor([0, 2, 1, 2])
    together = method(network, images, targets)
    for i in range(4):
        alone = method(network, images[i : i + 1], targets[i : i + 1])
        torch.testing.assert_close(together[i], alone[0], rtol=1e-12, atol=0)


@pytest.mark.parametrize("method", METHODS)
def test_the_target_chooses_the_map(method: Method) -> None:
    maps = method(tiny(), batch(1).expand(3, -1, -1, -1), torch.arange(3))
    assert not torch.allclose(maps[0], maps[1])
    assert not torch.allclose(maps[1], maps[2])


def test_threads_that_share_a_network_do_not_interfere() -> None:
    network, images = tiny(), batch(16, 64)
    jobs = [(method, i % 16, i % 3) for i in range(64) for method in METHODS]

    def run(job: tuple[Method, int, int]) -> Tensor:
        method, image, target = job
        return method(network, images[image : image + 1], torch.tensor([target]))

    alone = [run(job) for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        for expected, actual in zip(alone, pool.map(run, jobs), strict=True):
            torch.testing.assert_close(actual, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_left_on_the_network(method: Method) -> None:
    network = tiny()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with torch.no_grad():  # the caller may have gradients disabled
        method(network, batch(2), torch.tensor([0, 1]))
    for parameter in network.parameters():
        assert parameter.requires_grad
        assert parameter.grad is None
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])


@pytest.mark.parametrize("method", METHODS)
def test_training_mode_is_refused(method: Method) -> None:
    with pytest.raises(ValueError, match="evaluation"):
        method(tiny().train(), batch(1), torch.tensor([0]))
