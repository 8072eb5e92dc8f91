"""Cyclic cosine annealing (Loshchilov & Hutter 2017; Huang et al. 2017, snapshot ensembles)."""

import math


def learning_rate(step: int, total_steps: int, cycles: int, max_lr: float) -> float:
    """Karim et al. 2020, equation 1: α(t) = α0/2 · (cos(π · mod(t-1, ⌈T/C⌉) / ⌈T/C⌉) + 1).

    Args:
        step: t, counted from 1.
        total_steps: T, steps of the whole run.
        cycles: C.
        max_lr: α0, the rate at which each cycle starts.

    Returns:
        The rate for this step, in (0, max_lr].
    """
    length = steps_per_cycle(total_steps, cycles)
    return max_lr / 2 * (math.cos(math.pi * ((step - 1) % length) / length) + 1)


def steps_per_cycle(total_steps: int, cycles: int) -> int:
    """⌈T/C⌉."""
    return math.ceil(total_steps / cycles)
