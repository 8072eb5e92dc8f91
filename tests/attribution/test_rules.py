"""Each rule on a tiny layer, against its equation with an explicit Jacobian, neuron by neuron, in double precision."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from attribution.canonize import Add
from attribution.lrp import EPSILON_PLUS_BOX
from attribution.rules import Epsilon, Flat, Rule, ZBox, ZPlus, proportional
from networks.architectures import build

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "convolution": lambda: nn.Conv2d(2, 3, kernel_size=3, stride=2, padding=1),
    "linear": lambda: nn.Linear(7, 4),
}
SHAPES = {"convolution": (1, 2, 5, 5), "linear": (1, 7)}

Contribution = Callable[[Tensor, Tensor], Tensor]
"""The q of an equation: inputs [I] and weights [I, K] (one column per output) → contributions [I, K]."""


def slowly(layer: nn.Module, x: Tensor, relevance: Tensor, q: Contribution, bias: bool = False) -> Tensor:
    """R_j = Σ_k q_jk / (Σ_i q_ik [+ b_k]) · R_k, as loops. The Jacobian of a linear layer is its weights."""
    jacobian = torch.autograd.functional.jacobian(layer, x).reshape(relevance.numel(), x.numel())
    offsets = layer(torch.zeros_like(x)).detach().flatten() if bias else torch.zeros(relevance.numel()).double()
    contributions = q(x.flatten(), jacobian.T)
    result = torch.zeros(x.numel(), dtype=torch.float64)
    for k, share in enumerate(relevance.flatten()):
        for j in range(x.numel()):
            result[j] += contributions[j, k] / (contributions[:, k].sum() + offsets[k]) * share
    return result.reshape(x.shape)


def weighted(x: Tensor, w: Tensor) -> Tensor:
    return x[:, None] * w


def positive(x: Tensor, w: Tensor) -> Tensor:
    return (x[:, None] * w).clamp(min=0)


def boxed(x: Tensor, w: Tensor) -> Tensor:
    return x[:, None] * w + 2 * w.clamp(min=0) - 3 * w.clamp(max=0)


def flat(_: Tensor, w: Tensor) -> Tensor:
    return (w != 0).double()  # in these layers a weight is 0 only if the output does not depend on the input


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize(
    ("rule", "q", "low", "bias"),
    [
        (Epsilon(), weighted, -2, False),
        (Epsilon(1e-30, bias=True), weighted, -2, True),
        (ZPlus(), positive, 0, False),
        (ZPlus(signed=True), positive, -2, False),
        (ZBox(-2.0, 3.0), boxed, -2, False),
        (Flat(), flat, -2, False),
    ],
    ids=["epsilon", "lrp-0", "z+", "z+ signed", "zB", "flat"],
)
def test_a_rule_is_its_equation(kind: str, rule: Rule, q: Contribution, low: float, bias: bool) -> None:
    torch.manual_seed(0)
    layer = LAYERS[kind]().double().requires_grad_(False)
    x = torch.empty(SHAPES[kind], dtype=torch.float64).uniform_(low, 3)
    relevance = torch.randn_like(layer(x))
    (actual,) = rule(layer, (x,), relevance)
    torch.testing.assert_close(actual, slowly(layer, x, relevance, q, bias), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("pool", [nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1)], ids=["average", "adaptive"])
def test_average_pools_share_in_proportion(pool: nn.Module) -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 2, 4, 4, dtype=torch.float64)
    relevance = torch.randn_like(pool(x))
    (actual,) = proportional(pool, (x,), relevance)
    torch.testing.assert_close(actual, slowly(pool, x, relevance, weighted), rtol=1e-9, atol=1e-12)


def test_a_sum_shares_in_proportion() -> None:
    torch.manual_seed(0)
    left, right, relevance = torch.randn(3, 2, 4, dtype=torch.float64)
    to_left, to_right = proportional(Add(), (left, right), relevance)
    torch.testing.assert_close(to_left, left / (left + right) * relevance)
    torch.testing.assert_close(to_right, right / (left + right) * relevance)


def test_epsilon_absorbs_some_relevance() -> None:
    """Bach et al. 2015, equation 58: epsilon keeps ε / (|z| + ε) of the relevance to itself."""
    layer = nn.Linear(2, 1, bias=False).double().requires_grad_(False)
    layer.weight.copy_(torch.tensor([[1.0, -3.0]]))
    (relevance,) = Epsilon(0.5)(layer, (torch.tensor([[1.0, 1.0]]).double(),), torch.tensor([[1.0]]).double())
    torch.testing.assert_close(relevance, torch.tensor([[-0.4, 1.2]]).double())


@pytest.mark.parametrize("rule", [Epsilon(), ZPlus(), ZPlus(signed=True), ZBox(0.0, 1.0)])
def test_an_output_without_evidence_keeps_its_relevance(rule: Rule) -> None:
    layer = nn.Linear(3, 2).requires_grad_(False)
    (relevance,) = rule(layer, (torch.zeros(1, 3),), torch.zeros(1, 2))
    assert not relevance.any()


def test_the_box_is_the_range_of_pixels() -> None:
    bounds = build("resnet18").normalise(torch.tensor([0, 255], dtype=torch.uint8)).tolist()
    assert isinstance(EPSILON_PLUS_BOX.first, ZBox)
    assert [EPSILON_PLUS_BOX.first.low, EPSILON_PLUS_BOX.first.high] == bounds
