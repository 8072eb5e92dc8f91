"""Faithfulness of a map: change the image where the map points, and measure how the network's answer changes.

Removed parts are replaced by a blurred copy of the image and not by black, which no network was trained on (Sturmfels
et al. 2020). Whole cells of the grid of `attribution.metrics` are changed, in the map's order (Samek et al. 2017).
"""

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from attribution.metrics import CELLS, on_grid
from networks.architectures import Network

STEPS: Final = 20
BLUR: Final = 0.05  # standard deviation, as a share of the image's side
SIDES: Final = (CELLS // 7, CELLS // 2)  # smallest and largest side, in cells, of the squares that infidelity removes


@dataclass(frozen=True, slots=True)
class Curves:
    """The target's probability and logit, [N, STEPS + 1], as a share 0, 1/STEPS, …, 1 of the cells is changed.

    `deletion` blurs the most relevant cells first; `insertion` begins blurred and restores them first.
    """

    deletion: Tensor
    insertion: Tensor
    deletion_logit: Tensor
    insertion_logit: Tensor

    @property
    def deletion_auc(self) -> Tensor:
        """[N] area under the probability, 0 to 1, small for a faithful map (Petsiuk et al. 2018, RISE)."""
        return _area(self.deletion)

    @property
    def insertion_auc(self) -> Tensor:
        """[N] area under the probability, 0 to 1, large for a faithful map (Petsiuk et al. 2018, RISE)."""
        return _area(self.insertion)

    @property
    def aopc(self) -> Tensor:
        """[N] area between the logits with the least and with the most relevant cells blurred first.

        This is AOPC of MoRF minus AOPC of LeRF (Samek et al. 2017), 0 for a random order. After a share of cells,
        insertion shows the image with all other, less relevant cells blurred: it is the LeRF curve reversed.
        """
        return _area(self.insertion_logit.flip(1) - self.deletion_logit)


def blurred(images: Tensor) -> Tensor:
    """The images [N, 1, H, W] uint8 under a Gaussian of `BLUR` times the side, mirrored at the border."""
    side = images.shape[-1]
    sigma = BLUR * side
    radius = min(math.ceil(3 * sigma), side - 1)
    offsets = torch.arange(-radius, radius + 1, device=images.device, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel /= kernel.sum()
    padded = functional.pad(images.float(), (radius,) * 4, mode="reflect")
    rows = functional.conv2d(padded, kernel.view(1, 1, 1, -1))
    return functional.conv2d(rows, kernel.view(1, 1, -1, 1)).round().clamp(0, 255).to(torch.uint8)


def order(maps: Tensor, generator: torch.Generator) -> Tensor:
    """Each cell's rank by relevance: maps [N, h, w] → [N, CELLS²] int64, 0 for the most relevant.

    Equal cells, such as Grad-CAM's many zeros, are in random order, because an order by position would favour one side.
    """
    grid = on_grid(maps).flatten(1)
    shuffled = torch.rand(grid.shape, generator=generator, device=grid.device).argsort(dim=1)
    ranked = grid.gather(1, shuffled).argsort(dim=1, descending=True, stable=True)
    return shuffled.gather(1, ranked).argsort(dim=1)


def curves(network: Network, images: Tensor, targets: Tensor, places: Tensor) -> Curves:
    """Deletion and insertion in a given order; 2 · STEPS forward passes per image.

    Args:
        network: in evaluation mode.
        images: [N, 1, H, W] uint8; N must be a batch that fits the device.
        targets: [N] int64.
        places: from `order`.
    """
    baseline = blurred(images)
    states: list[Tensor] = []  # the logits [N, 3] of deletion, then of insertion
    for first, second in ((images, baseline), (baseline, images)):
        for step in range(STEPS):
            changed = _pixels(places < round(step / STEPS * CELLS**2), images)
            states.append(_logits(network, torch.where(changed, second, first)))
    # With all cells changed, a curve ends where the other begins.
    logits = torch.stack([*states[:STEPS], states[STEPS], *states[STEPS:], states[0]], dim=1)
    probabilities = _of_target(logits.softmax(dim=-1), targets).split(STEPS + 1, dim=1)
    return Curves(*probabilities, *_of_target(logits, targets).split(STEPS + 1, dim=1))


def square_removals(
    network: Network, images: Tensor, targets: Tensor, count: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The loss of logit when random squares are blurred (Yeh et al. 2019, section 3); count + 1 passes per image.

    Returns:
        Squares [N, count, CELLS²] bool, and the decrease of the target's logit, [N, count].
    """
    baseline = blurred(images)
    whole = _of_target(_logits(network, images), targets)
    squares = torch.stack([_squares(len(images), images.device, generator) for _ in range(count)], dim=1)
    removed = [_logits(network, torch.where(_pixels(squares[:, i], images), baseline, images)) for i in range(count)]
    left = torch.stack([_of_target(logits, targets) for logits in removed], dim=1)
    return squares, whole[:, None] - left


def infidelity(maps: Tensor, squares: Tensor, losses: Tensor) -> Tensor:
    """How badly a map's evidence in a square predicts the loss without that square: 0 perfect, 1 worthless.

    Infidelity of Yeh et al. 2019, definition 2.1, E[(β · Σ_square map - loss)²] / E[loss²], with the best β ≥ 0,
    because maps differ in their units. This is 1 - E[m·l]² / (E[m²] E[l²]), or 1 for a map that predicts the opposite.

    Args:
        maps: [N, h, w].
        squares, losses: from `square_removals`. All methods can share one set.

    Returns:
        [N]; NaN if no square changes the logit.
    """
    foretold = torch.einsum("nk,npk->np", on_grid(maps).flatten(1).double(), squares.double())
    losses = losses.double()
    product = (foretold * losses).mean(dim=1).clamp(min=0)
    predicted, actual = foretold.square().mean(dim=1), losses.square().mean(dim=1)
    return 1 - product.square() / torch.where(predicted > 0, predicted * actual, actual)


def _squares(count: int, device: torch.device, generator: torch.Generator) -> Tensor:
    """[count, CELLS²] bool: one square each, anywhere in the image, with a side uniform between `SIDES`."""
    draw = torch.rand(3, count, 1, generator=generator, device=device)
    side = SIDES[0] + (draw[0] * (SIDES[1] - SIDES[0] + 1)).floor()
    top, left = ((draw[i] * (CELLS - side + 1)).floor() for i in (1, 2))
    axis = torch.arange(CELLS, device=device)
    rows, columns = ((axis >= start) & (axis < start + side) for start in (top, left))
    return (rows[:, :, None] & columns[:, None, :]).flatten(1)


def _pixels(cells: Tensor, images: Tensor) -> Tensor:
    """[N, CELLS²] bool → [N, 1, H, W] bool."""
    grid = cells.view(-1, 1, CELLS, CELLS).float()
    return functional.interpolate(grid, images.shape[-2:], mode="nearest").bool()


def _logits(network: Network, images: Tensor) -> Tensor:
    with torch.no_grad():
        logits: Tensor = network(images)
    return logits


def _of_target(values: Tensor, targets: Tensor) -> Tensor:
    """[N, …, 3] → [N, …]."""
    index = targets.view(-1, *[1] * (values.ndim - 1)).expand(*values.shape[:-1], 1)
    return values.gather(-1, index)[..., 0]


def _area(curve: Tensor) -> Tensor:
    """The trapezoid rule over [0, 1]: [N, points] → [N]."""
    return torch.trapezoid(curve, dx=1 / (curve.shape[1] - 1), dim=1)
