"""Karim et al. 2020, equation 1, and its cycles."""

import math
from itertools import pairwise

import pytest

from training.schedule import learning_rate, steps_per_cycle

T, C, A0 = 200, 20, 0.1  # the paper's: epochs, cycles, and a rate at which a cycle starts


def rates(total: int = T, cycles: int = C) -> list[float]:
    return [learning_rate(step, total, cycles, A0) for step in range(1, total + 1)]


@pytest.mark.parametrize("cycle", range(C))
def test_a_cycle_starts_at_the_top_passes_half_and_ends_at_the_bottom(cycle: int) -> None:
    start, middle, bottom = (learning_rate(10 * cycle + t, T, C, A0) for t in (1, 6, 10))
    assert start == pytest.approx(A0, rel=1e-12)
    assert middle == pytest.approx(A0 / 2, rel=1e-12)
    assert bottom == pytest.approx(A0 / 2 * (math.cos(math.pi * 9 / 10) + 1), rel=1e-12)
    assert bottom == pytest.approx(0.002447, abs=1e-6)


def test_every_cycle_is_the_first_again() -> None:
    values = rates()
    assert len(values) == T
    assert all(values[10 * cycle : 10 * cycle + 10] == values[:10] for cycle in range(C))


def test_the_rate_falls_within_a_cycle_and_never_reaches_zero() -> None:
    values = rates(1000, 1)
    assert all(later < earlier for earlier, later in pairwise(values))
    assert values[0] == A0
    assert 0 < values[-1] < A0 * 1e-5


def test_one_cycle_of_one_step_is_at_the_top() -> None:
    assert rates(3, 3) == [A0] * 3


@pytest.mark.parametrize(("total", "cycles", "length"), [(200, 20, 10), (100, 1, 100), (10, 3, 4), (7, 7, 1)])
def test_cycles_are_rounded_up(total: int, cycles: int, length: int) -> None:
    assert steps_per_cycle(total, cycles) == length
    restarts = [step for step in range(2, total + 1) if learning_rate(step, total, cycles, A0) == A0]
    assert restarts == list(range(length + 1, total + 1, length))
