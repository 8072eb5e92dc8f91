"""Metrics of maps: conservation and agreement with the lungs; and two baseline maps.

A map is [N, h, w], of any resolution over the whole image. Maps are compared on a common grid of `CELLS` x `CELLS`
cells, so that a method's resolution does not matter.
"""

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from attribution.canonize import CanonicalNetwork

Attribute = Callable[[CanonicalNetwork, Tensor, Tensor], Tensor]
"""A method: network, images [N, 1, H, W] uint8 and targets [N] → maps [N, h, w]."""

CELLS: Final = 28  # a cell is 8 of 224 pixels; Grad-CAM itself has 7 x 7 or 14 x 14 positions


def on_grid(maps: Tensor) -> Tensor:
    """[N, h, w] → [N, CELLS, CELLS]: finer maps are averaged, coarser ones interpolated."""
    if min(maps.shape[1:]) >= CELLS:
        return functional.adaptive_avg_pool2d(maps, CELLS)
    size = (CELLS, CELLS)
    return functional.interpolate(maps[:, None], size, mode="bilinear", align_corners=False)[:, 0]


def random_map(_: CanonicalNetwork, images: Tensor, __: Tensor) -> Tensor:
    """A baseline without any information: uniform noise, new at each call, from torch's global generator."""
    return torch.rand(len(images), CELLS, CELLS, device=images.device)


def centred_gaussian(_: CanonicalNetwork, images: Tensor, __: Tensor) -> Tensor:
    """A baseline that uses only that radiographs are centred: a Gaussian whose sigma is a quarter of the side."""
    axis = torch.linspace(-1, 1, CELLS, device=images.device)
    bell = torch.exp(-0.5 * (axis / 0.5) ** 2)
    return (bell[:, None] * bell[None, :]).expand(len(images), -1, -1)


def conservation_error(relevance: Tensor, logits: Tensor) -> Tensor:
    """|Σ R - logit| / max(|logit|, 1) of LRP: relevance [N, H, W], the targets' logits [N] → [N]; 0 is perfect."""
    return (relevance.double().sum(dim=(1, 2)) - logits).abs() / logits.abs().clamp(min=1)


def lung_concentration(maps: Tensor, lungs: Tensor) -> Tensor:
    """The lungs' share of the positive evidence over their share of the image: 1 for random maps, higher is better.

    Args:
        maps: [N, h, w].
        lungs: [N, H, W] bool, or the share of a pixel that is lung; all false if the lungs are unknown.

    Returns:
        [N]; NaN for a map without positive evidence and for an image without lungs.
    """
    evidence, area = on_grid(maps).clamp(min=0), on_grid(lungs.float())
    share = (evidence * area).sum(dim=(1, 2)) / evidence.sum(dim=(1, 2))
    return share / area.mean(dim=(1, 2))


def pointing_game(maps: Tensor, lungs: Tensor) -> Tensor:
    """1 if the map's maximum is in a lung, else 0 (Zhang et al. 2018). Arguments and NaN as `lung_concentration`."""
    grid, area = on_grid(maps).flatten(1), on_grid(lungs.float()).flatten(1)
    hit = area.gather(1, grid.argmax(dim=1, keepdim=True))[:, 0] >= 0.5
    known = (area.amax(dim=1) > 0) & (grid.amax(dim=1) > 0)
    return torch.where(known, hit.float(), torch.nan)
