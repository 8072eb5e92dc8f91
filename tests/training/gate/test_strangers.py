"""Images to reject match the names of their kinds."""

import numpy as np
import pytest

from training.gate.strangers import KINDS, LUNGS_LEFT, Sitter

SHAPE = (240, 300)


def sitter(lungs: bool = True) -> Sitter:
    rng = np.random.default_rng(0)
    mask = np.zeros((64, 64), bool)
    if lungs:
        mask[12:52, 8:28] = mask[12:52, 36:56] = True
    ramp = np.add.outer(np.arange(SHAPE[0]) * 0.5, np.arange(SHAPE[1]) * 0.3).astype(np.uint8)
    return Sitter(ramp, mask, rng.integers(0, 256, SHAPE).astype(np.uint8))


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_a_picture_the_same_for_the_same_seed(kind: str) -> None:
    one, again, other = (KINDS[kind](sitter(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.dtype == np.uint8
    assert one.ndim == 2
    assert np.array_equal(one, again)
    assert kind in ("negative",) or not np.array_equal(one, other) or kind in ("turned", "upside_down")


def test_turned_and_negative() -> None:
    rng, of = np.random.default_rng(0), sitter()
    assert KINDS["turned"](of, rng).shape == SHAPE[::-1]
    assert np.array_equal(KINDS["negative"](of, rng), 255 - of.pixels)
    assert np.array_equal(KINDS["upside_down"](of, rng)[0].max(), of.pixels[-1].max())


def test_less_than_half_of_the_lungs_is_left() -> None:
    """The image's grey is the lung mask, so that the remaining lung can be counted."""
    of = sitter()
    shown = Sitter(np.kron(of.lungs, np.ones((4, 4))).astype(np.uint8), of.lungs, of.other)
    for seed in range(30):
        left = KINDS["cropped"](shown, np.random.default_rng(seed)).sum() / shown.pixels.sum()
        assert left <= LUNGS_LEFT + 0.06  # tolerance for cells at the edge


def test_without_lungs_a_quarter_or_a_half_is_left() -> None:
    sizes = {KINDS["cropped"](sitter(lungs=False), np.random.default_rng(seed)).size for seed in range(9)}
    assert sizes == {SHAPE[0] * SHAPE[1] // 4}
