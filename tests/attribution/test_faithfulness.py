"""Faithfulness on a network that uses only one part of the image, and against captum's infidelity."""

import pytest
import torch
from captum.metrics import infidelity as captums
from torch import Tensor, nn

from attribution.faithfulness import BLUR, STEPS, blurred, curves, infidelity, order, square_removals
from attribution.metrics import CELLS
from networks.architectures import Network

SIZE = 2 * CELLS


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


class Quadrant(nn.Module):
    """Contrast in the upper left quarter of the image, as three logits: 0, 0 and the contrast."""

    def forward(self, x: Tensor) -> Tensor:
        contrast = 4 * x[:, 0, : SIZE // 2, : SIZE // 2].square().mean(dim=(1, 2)) - 3
        return torch.stack([torch.zeros_like(contrast), torch.zeros_like(contrast), contrast], dim=1)


def quadrant() -> Network:
    network = Network(nn.Identity(), Quadrant())
    network.head.register_parameter("dtype_of", nn.Parameter(torch.zeros(())))  # `normalise` asks for the float type
    return network.eval()


def noise(count: int) -> Tensor:
    return torch.randint(0, 256, (count, 1, SIZE, SIZE), dtype=torch.uint8, generator=generator())


def right_map(count: int) -> Tensor:
    maps = torch.zeros(count, CELLS, CELLS)
    maps[:, : CELLS // 2, : CELLS // 2] = 1
    return maps


TARGETS = torch.tensor([2, 2, 2])


def test_blur_keeps_the_mean_and_removes_detail() -> None:
    images = noise(3)
    smooth = blurred(images)
    assert smooth.shape == images.shape
    assert smooth.dtype == torch.uint8
    assert smooth.float().std() < 0.2 * images.float().std()
    torch.testing.assert_close(smooth.float().mean(), images.float().mean(), rtol=0.02, atol=0)


def test_blur_is_a_gaussian() -> None:
    step = torch.zeros(1, 1, SIZE, SIZE, dtype=torch.uint8)
    step[..., SIZE // 2 :] = 255
    x = (torch.arange(SIZE) + 0.5 - SIZE / 2) / (BLUR * SIZE)
    expected = 255 * 0.5 * (1 + torch.erf(x / 2**0.5))
    assert (blurred(step)[0, 0, SIZE // 2].float() - expected).abs().max() < 3


def test_an_image_without_detail_is_left_as_it_is() -> None:
    for level in (0, 255):
        image = torch.full((1, 1, SIZE, SIZE), level, dtype=torch.uint8)
        assert torch.equal(blurred(image), image)
    pixel = torch.full((1, 1, 1, 1), 7, dtype=torch.uint8)
    assert torch.equal(blurred(pixel), pixel)


def test_squares_have_any_side_and_lie_anywhere() -> None:
    squares, _ = square_removals(quadrant(), noise(1), TARGETS[:1], 600, generator())
    found = squares[0].view(-1, CELLS, CELLS)
    rows, columns = found.any(dim=2), found.any(dim=1)
    sides, tops, lefts = rows.sum(dim=1), rows.int().argmax(dim=1), columns.int().argmax(dim=1)
    assert set(sides.tolist()) == set(range(CELLS // 7, CELLS // 2 + 1))
    for starts in (tops, lefts):
        assert starts.amin() == 0
        assert (starts + sides).amax() == CELLS
    assert abs(float(torch.corrcoef(torch.stack([tops.double(), lefts.double()]))[0, 1])) < 0.3
    assert abs(float(torch.corrcoef(torch.stack([sides.double(), tops / (CELLS + 1 - sides)]))[0, 1])) < 0.2


def test_order_puts_the_most_relevant_first_and_ties_anywhere() -> None:
    maps = torch.arange(CELLS**2).float().view(1, CELLS, CELLS)
    assert torch.equal(order(maps, generator())[0], torch.arange(CELLS**2).flip(0))
    ties = order(torch.zeros(1, CELLS, CELLS), generator())[0]
    assert torch.equal(ties.sort().values, torch.arange(CELLS**2))
    assert not torch.equal(ties, torch.arange(CELLS**2))
    assert abs(ties[: CELLS**2 // 2].double().mean() / CELLS**2 - 0.5) < 0.05


def test_curves_begin_and_end_where_they_must() -> None:
    network, images = quadrant(), noise(3)
    found = curves(network, images, TARGETS, order(right_map(3), generator()))
    whole, gone = network(images)[:, 2], network(blurred(images))[:, 2]
    assert found.deletion_logit.shape == (3, STEPS + 1)
    torch.testing.assert_close(found.deletion_logit[:, 0], whole)
    torch.testing.assert_close(found.deletion_logit[:, -1], gone)
    torch.testing.assert_close(found.insertion_logit[:, 0], gone)
    torch.testing.assert_close(found.insertion_logit[:, -1], whole)
    torch.testing.assert_close(found.deletion[:, 0], network(images).softmax(1)[:, 2])


def test_the_right_map_beats_a_random_one_which_beats_the_opposite() -> None:
    network, images = quadrant(), noise(3)
    maps = (right_map(3), torch.rand(3, CELLS, CELLS, generator=generator()), 1 - right_map(3))
    right, chance, wrong = (curves(network, images, TARGETS, order(m, generator())) for m in maps)
    assert (right.deletion_auc < chance.deletion_auc).all()
    assert (chance.deletion_auc < wrong.deletion_auc).all()
    assert (right.insertion_auc > chance.insertion_auc).all()
    assert (chance.insertion_auc > wrong.insertion_auc).all()
    assert (right.aopc > 1).all()
    assert (chance.aopc.abs() < 0.5).all()
    assert (wrong.aopc < -1).all()


def test_aopc_is_the_mean_drop_of_morf_minus_that_of_lerf() -> None:
    """A slow version: least relevant first is the reversed order."""
    network, images = quadrant(), noise(1)
    places = order(torch.rand(1, CELLS, CELLS, generator=generator()), generator())
    found = curves(network, images, TARGETS[:1], places)
    backwards = curves(network, images, TARGETS[:1], CELLS**2 - 1 - places)
    area = torch.trapezoid(backwards.deletion_logit - found.deletion_logit, dx=1 / STEPS)
    torch.testing.assert_close(found.aopc, area, rtol=0.01, atol=1e-3)  # a share of cells is rounded


def test_squares_are_squares_and_losses_are_the_lost_logits() -> None:
    network, images = quadrant(), noise(3)
    squares, losses = square_removals(network, images, TARGETS, 20, generator())
    for square in squares.flatten(0, 1).view(-1, CELLS, CELLS):
        rows, columns = square.nonzero().unbind(1)
        side = rows.amax() - rows.amin() + 1
        assert side == columns.amax() - columns.amin() + 1
        assert side**2 == square.sum()
        assert CELLS // 7 <= side <= CELLS // 2
    outside = ~(squares.view(3, 20, CELLS, CELLS) & right_map(3).bool()[:, None]).any(dim=(2, 3))
    assert outside.any()
    torch.testing.assert_close(losses[outside], torch.zeros_like(losses[outside]), rtol=0, atol=1e-4)
    assert (losses[~outside] > 0).all()


@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_infidelity_is_captums_over_the_energy_of_the_losses(scale: float) -> None:
    network, images, maps = quadrant(), noise(3), scale * torch.rand(3, CELLS, CELLS, generator=generator())
    squares, losses = square_removals(network, images, TARGETS, 30, generator())
    pixels = torch.nn.functional.interpolate(squares.float().view(3, 30, CELLS, CELLS), scale_factor=2)
    wanted = iter(range(30))

    def perturb(inputs: Tensor) -> tuple[Tensor, Tensor]:
        square = pixels[:, next(wanted)][:, None]
        return square, torch.where(square.bool(), blurred(images), images).float() + 0 * inputs

    expected = captums(
        lambda x: network(x.to(torch.uint8)),
        perturb,
        images.float(),
        maps.repeat_interleave(2, 1).repeat_interleave(2, 2)[:, None],
        target=TARGETS,
        n_perturb_samples=30,
        max_examples_per_batch=3,
        normalize=True,
    )
    actual = infidelity(maps, squares, losses)
    torch.testing.assert_close(actual.float(), expected / losses.square().mean(1), rtol=1e-3, atol=1e-4)
    assert (actual < 1).all()


def test_infidelity_of_a_right_a_worthless_and_an_opposite_map() -> None:
    squares, losses = square_removals(quadrant(), noise(3), TARGETS, 50, generator())
    assert (infidelity(right_map(3), squares, losses) < 0.1).all()
    assert (infidelity(torch.ones(3, CELLS, CELLS), squares, losses) > 0.2).all()
    assert infidelity(-right_map(3), squares, losses).eq(1).all()
    assert infidelity(torch.zeros(3, CELLS, CELLS), squares, losses).eq(1).all()
    assert infidelity(right_map(3), squares, torch.zeros_like(losses)).isnan().all()
