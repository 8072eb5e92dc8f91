"""Drawn slices: they differ, are reproducible, and show air around a body."""

import numpy as np

from training.gate.slices import SIDE, slice_of_a_body


def test_slices_differ_and_come_again() -> None:
    made = [slice_of_a_body(np.random.default_rng(seed)) for seed in range(30)]
    assert {one.shape for one in made} == {(SIDE, SIDE)}
    assert all(one.dtype == np.uint8 for one in made)
    assert len({one.tobytes() for one in made}) == 30
    assert np.array_equal(made[3], slice_of_a_body(np.random.default_rng(3)))


def test_the_middle_of_a_slice_has_more_in_it_than_its_corners() -> None:
    made = np.stack([slice_of_a_body(np.random.default_rng(seed)) for seed in range(60)]).astype(np.float32)
    edge = SIDE // 8
    corners = np.concatenate([made[:, :edge, :edge], made[:, -edge:, -edge:]], axis=1)
    middle = made[:, 3 * edge : 5 * edge, 3 * edge : 5 * edge]
    assert (middle.mean(axis=(1, 2)) > corners.mean(axis=(1, 2))).mean() > 0.7
    assert middle.std(axis=(1, 2)).mean() > corners.std(axis=(1, 2)).mean()
