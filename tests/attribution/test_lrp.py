"""LRP on whole networks: conservation, LRP-0, neighbours, threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from captum.attr import InputXGradient
from torch import Tensor

from attribution.canonize import CanonicalNetwork, canonize
from attribution.gradcam import gradcam, gradcam_plus_plus
from attribution.lrp import EPSILON_PLUS_BOX, EPSILON_PLUS_FLAT, Composite, lrp
from attribution.rules import Epsilon
from cxr.model.architecture import Architecture
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle
from networks.architectures import Network, load_member
from tests.attribution.networks import batch, randomised
from tests.networks.every import EVERY

_LRP_0 = Epsilon(epsilon=1e-30, bias=True)
LRP_0 = Composite(_LRP_0, _LRP_0, _LRP_0)


def conservation_error(canonical: CanonicalNetwork, images: Tensor, composite: Composite) -> float:
    """The largest |sum of R - logit| / max(|logit|, 1), over images and all their targets."""
    images, targets = images.repeat(3, 1, 1, 1), torch.arange(3).repeat_interleave(len(images))
    with torch.no_grad():
        logits = canonical(images).gather(1, targets[:, None])[:, 0]
    error = (lrp(canonical, images, targets, composite).sum(dim=(1, 2)) - logits).abs()
    return float((error / logits.abs().clamp(min=1)).max())


@pytest.mark.parametrize("composite", [EPSILON_PLUS_FLAT, EPSILON_PLUS_BOX], ids=["flat", "box"])
@pytest.mark.parametrize("architecture", EVERY)
def test_relevance_adds_up_to_the_logit(architecture: Architecture, composite: Composite) -> None:
    canonical = canonize(randomised(architecture))
    assert conservation_error(canonical, batch(1), composite) <= 1e-4
    assert conservation_error(canonical.double(), batch(1), composite) <= 1e-9


@pytest.fixture(scope="module")
def shipped() -> Network:
    """The explaining member of the shipped model."""
    bundle = Bundle(DEFAULT_BUNDLE)
    return load_member(bundle, bundle.explainer)


def test_relevance_of_the_shipped_model_adds_up(shipped: Network) -> None:
    assert conservation_error(canonize(shipped), batch(1, 224), EPSILON_PLUS_FLAT) <= 1e-4


@pytest.mark.parametrize("architecture", [one for one in EVERY if not str(one.values[0]).startswith("densenet")])
def test_lrp_0_is_input_times_gradient(architecture: Architecture) -> None:
    """Ancona et al. 2018, proposition 1. In DenseNet a BatchNorm passes relevance on, so it does not hold there."""
    canonical, images, targets = canonize(randomised(architecture)).double(), batch(2), torch.tensor([0, 2])
    pixels = canonical.normalise(images).requires_grad_()

    def logits_of(x: Tensor) -> Tensor:
        logits: Tensor = canonical.head(canonical.trunk(x))
        return logits

    expected = InputXGradient(logits_of).attribute(pixels, target=targets)[:, 0].detach()
    relevance = lrp(canonical, images, targets, LRP_0)
    torch.testing.assert_close(relevance, expected, rtol=1e-6, atol=1e-9 * expected.abs().max().item())


def test_an_image_has_the_same_relevance_alone_and_in_a_batch() -> None:
    canonical, images, targets = canonize(randomised("resnet18")).double(), batch(4), torch.tensor([0, 2, 1, 2])
    together = lrp(canonical, images, targets)
    for i in range(4):
        alone = lrp(canonical, images[i : i + 1], targets[i : i + 1])
        torch.testing.assert_close(together[i], alone[0], rtol=1e-8, atol=1e-12)


def test_methods_targets_and_threads_do_not_interfere() -> None:
    canonical, images = canonize(randomised("resnet18")), batch(6)
    methods: dict[str, Callable[[CanonicalNetwork, Tensor, Tensor], Tensor]]
    methods = {"lrp": lrp, "gradcam": gradcam, "gradcam_plus_plus": gradcam_plus_plus}
    jobs = [(method, image, target) for image in range(6) for target in range(3) for method in methods]

    def explain(job: tuple[str, int, int]) -> Tensor:
        method, image, target = job
        return methods[method](canonical, images[image : image + 1], torch.tensor([target]))

    alone = [explain(job) for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        for expected, actual in zip(alone, pool.map(explain, jobs), strict=True):
            # Not bit-equal: on a busy machine the sums of a convolution are split differently.
            torch.testing.assert_close(actual, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_nothing_is_left_on_the_network() -> None:
    canonical = canonize(randomised("vgg16_bn"))
    before = {name: tensor.clone() for name, tensor in canonical.state_dict().items()}
    with torch.no_grad():  # the caller may have gradients disabled
        relevance = lrp(canonical, batch(1), torch.tensor([1]))
    assert not relevance.requires_grad
    for name, tensor in canonical.state_dict().items():
        assert torch.equal(tensor, before[name])
    for module in canonical.modules():
        hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
        assert not any(hooks)


def test_training_mode_is_refused() -> None:
    canonical = canonize(randomised("resnet18"))
    canonical.train()
    with pytest.raises(ValueError, match="evaluation"):
        lrp(canonical, batch(1), torch.tensor([0]))
