"""What is taken away is black, and nothing else changes."""

import numpy as np
import pytest

from evaluation.ablation import BORDER, border_only, without, without_border

IMAGES = np.random.default_rng(0).integers(1, 256, (3, 40, 40), dtype=np.uint8)


def test_border_and_inside_are_the_whole() -> None:
    inside, border = without_border(IMAGES), border_only(IMAGES)
    assert np.array_equal(inside + border, IMAGES)
    width = round(BORDER * 40)
    assert (inside[:, :width] == 0).all()
    assert (inside[:, :, -width:] == 0).all()
    assert np.array_equal(inside[:, width:-width, width:-width], IMAGES[:, width:-width, width:-width])
    assert (border > 0).mean() == pytest.approx(1 - (1 - 2 * BORDER) ** 2)


def test_masks_are_scaled_to_the_images() -> None:
    masks = np.zeros((3, 8, 8), dtype=bool)
    masks[1, 2:4, 1:7] = True
    found = without(IMAGES, masks)
    assert np.array_equal(found[[0, 2]], IMAGES[[0, 2]])
    assert (found[1, 10:20, 5:35] == 0).all()
    assert (found[1] == 0).sum() == 300


def test_images_may_be_read_only() -> None:
    frozen = IMAGES.copy()
    frozen.flags.writeable = False
    before = frozen.copy()
    for ablated in (without_border(frozen), border_only(frozen), without(frozen, np.ones((3, 4, 4), dtype=bool))):
        assert not np.array_equal(ablated, frozen)
    assert np.array_equal(frozen, before)
