"""Metrics of single maps with known values."""

import pytest
import torch

from attribution.canonize import canonize
from attribution.lrp import lrp
from attribution.metrics import (
    CELLS,
    centred_gaussian,
    conservation_error,
    lung_concentration,
    on_grid,
    pointing_game,
    random_map,
)
from tests.attribution.networks import batch, randomised


def test_the_grid_keeps_the_mean_and_the_place() -> None:
    fine = torch.zeros(1, 2 * CELLS, 2 * CELLS)
    fine[0, 10:12, 20:22] = 3.0
    grid = on_grid(fine)
    assert grid[0, 5, 10] == 3
    assert grid.mean() == fine.mean()
    assert on_grid(torch.ones(2, 7, 7)).eq(1).all()
    assert torch.equal(on_grid(grid), grid)


def test_finer_maps_are_averaged_and_coarser_ones_interpolated() -> None:
    fine = torch.zeros(1, 3 * CELLS, 3 * CELLS)
    fine[0, 15, 30] = 9.0  # a corner of its cell
    assert on_grid(fine)[0, 5, 10] == 1
    assert on_grid(fine).sum() == 1
    coarse = on_grid(torch.tensor([[[0.0, 1.0], [0.0, 1.0]]]))[0]
    assert ((coarse > 0) & (coarse < 1)).any()
    assert (coarse.diff(dim=1) > -1e-6).all()


def test_conservation_error_is_relative_to_the_larger_of_logit_and_one() -> None:
    relevance = torch.full((3, 2, 2), 2.5)
    errors = conservation_error(relevance, torch.tensor([10.0, 8.0, 0.5]))
    torch.testing.assert_close(errors, torch.tensor([0.0, 0.25, 9.5], dtype=torch.float64))


def test_conservation_of_lrp_is_measured_as_good() -> None:
    canonical, images, targets = canonize(randomised("resnet18")), batch(2), torch.tensor([0, 1])
    logits = canonical(images)[torch.arange(2), targets]
    assert conservation_error(lrp(canonical, images, targets), logits).max() < 1e-4


def lungs_left() -> torch.Tensor:
    """The left quarter of the image is lung."""
    lungs = torch.zeros(1, CELLS, CELLS, dtype=torch.bool)
    lungs[:, :, : CELLS // 4] = True
    return lungs


def test_concentration_is_one_by_chance_and_four_in_a_quarter() -> None:
    even, inside = torch.ones(1, CELLS, CELLS), lungs_left().float()
    torch.testing.assert_close(lung_concentration(even, lungs_left()), torch.tensor([1.0]))
    torch.testing.assert_close(lung_concentration(inside, lungs_left()), torch.tensor([4.0]))
    torch.testing.assert_close(lung_concentration(-even + 2 * inside, lungs_left()), torch.tensor([4.0]))
    assert lung_concentration(inside.flip(2), lungs_left()) == 0


def test_the_pointing_game_looks_at_the_maximum() -> None:
    heatmap = torch.zeros(1, CELLS, CELLS)
    heatmap[0, 3, 3] = 1
    assert pointing_game(heatmap, lungs_left()) == 1
    assert pointing_game(heatmap.flip(2), lungs_left()) == 0


def test_what_is_not_known_is_nan() -> None:
    heatmap, nothing = torch.rand(1, CELLS, CELLS), torch.zeros(1, CELLS, CELLS)
    for figure in (lung_concentration, pointing_game):
        assert figure(heatmap, nothing.bool()).isnan().all()
        assert figure(nothing, lungs_left()).isnan().all()


@pytest.mark.parametrize("baseline", [random_map, centred_gaussian])
def test_baselines_do_not_depend_on_the_image(baseline: object) -> None:
    canonical = canonize(randomised("resnet18"))
    assert callable(baseline)
    torch.manual_seed(0)
    maps = baseline(canonical, batch(2), torch.tensor([0, 1]))
    torch.manual_seed(0)
    assert torch.equal(maps, baseline(canonical, 255 - batch(2), torch.tensor([2, 2])))
    assert maps.shape == (2, CELLS, CELLS)
    assert maps.amin() >= 0


def test_half_a_cell_of_lung_is_a_hit() -> None:
    heatmap, lungs = torch.zeros(1, CELLS, CELLS), torch.zeros(1, 2 * CELLS, 2 * CELLS)
    heatmap[0, 5, 10] = 1
    lungs[0, 10:12, 20] = 1
    assert pointing_game(heatmap, lungs) == 1
    lungs[0, 11, 20] = 0.9
    assert pointing_game(heatmap, lungs) == 0


def test_the_gaussian_is_centred() -> None:
    (bell,) = centred_gaussian(canonize(randomised("resnet18")), batch(1), torch.tensor([0]))
    assert bell[0, 0].log() == pytest.approx(-4)  # two standard deviations away on both axes
    assert torch.equal(bell, bell.flip(0))
    assert torch.equal(bell, bell.T)
    assert bell.argmax() in [CELLS * (CELLS // 2 - i) + CELLS // 2 - j for i in (0, 1) for j in (0, 1)]
