"""The relevance equals zennit's on the same canonical copy, element by element. zennit is used only by this test."""

import pytest
import torch
from torch import Tensor, nn

from attribution.canonize import Add, CanonicalNetwork, canonize
from attribution.lrp import EPSILON_PLUS_BOX, EPSILON_PLUS_FLAT, lrp
from cxr.model.architecture import Architecture
from tests.attribution.networks import batch, randomised

zennit = pytest.importorskip("zennit")

from zennit.composites import SpecialFirstLayerMapComposite  # noqa: E402
from zennit.layer import Sum  # noqa: E402
from zennit.rules import Epsilon, Flat, Norm, Pass, ZBox, ZPlus  # noqa: E402

TINY = 1e-30


class StackedSum(nn.Module):
    """A sum with one input, because zennit's rules are for layers with one input."""

    def __init__(self) -> None:
        super().__init__()
        self.sum = Sum()

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        output: Tensor = self.sum(torch.stack([left, right], dim=-1))
        return output


def zennits(canonical: CanonicalNetwork, images: Tensor, targets: Tensor, first: object) -> Tensor:
    """zennit's EpsilonPlus, without biases."""
    for module in list(canonical.modules()):
        for name, child in module.named_children():
            if isinstance(child, Add):
                setattr(module, name, StackedSum())
    composite = SpecialFirstLayerMapComposite(
        layer_map=[
            ((nn.ReLU, nn.BatchNorm2d), Pass()),
            ((Sum, nn.AvgPool2d, nn.AdaptiveAvgPool2d), Norm(stabilizer=TINY)),
            (nn.Conv2d, ZPlus(stabilizer=TINY, zero_params="bias")),
            (nn.Linear, Epsilon(epsilon=1e-12, zero_params="bias")),
        ],
        first_map=[(nn.Conv2d, first)],
    )
    pixels = canonical.normalise(images).requires_grad_()
    with composite.context(canonical):
        chosen = canonical.head(canonical.trunk(pixels)).gather(1, targets[:, None])
        (relevance,) = torch.autograd.grad(chosen, pixels, chosen.detach())
    return relevance[:, 0]


@pytest.mark.parametrize("box", [False, True], ids=["flat", "box"])
@pytest.mark.parametrize("architecture", ["vgg16_bn", "resnet18", "densenet161"])
def test_relevance_equals_zennits(architecture: Architecture, box: bool) -> None:
    canonical, images, targets = canonize(randomised(architecture)).double(), batch(2), torch.tensor([0, 2])
    actual = lrp(canonical, images, targets, EPSILON_PLUS_BOX if box else EPSILON_PLUS_FLAT)
    first = ZBox(low=-2.0, high=2.0, stabilizer=TINY, zero_params="bias") if box else Flat(stabilizer=TINY)
    expected = zennits(canonical, images, targets, first)
    assert expected.abs().max() > 0
    torch.testing.assert_close(actual, expected, rtol=1e-7, atol=1e-10 * expected.abs().max().item())
