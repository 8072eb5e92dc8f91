"""Figures of drift: of one answer, and bounds that a histogram can use."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from cxr.drift import FIGURES, figures
from cxr.labels import LABELS


def observed(gate: Any) -> dict[str, float]:
    finding = SimpleNamespace(
        probabilities=dict(zip(LABELS, (0.2, 0.7, 0.1), strict=True)), prediction_set=LABELS[:2], gate=gate
    )
    return figures(cast(Any, finding), cast(Any, SimpleNamespace(no_lungs=True, mean_grey=93.5)))


def test_the_figures_of_one_image() -> None:
    without = {"top_probability": 0.7, "set_size": 2.0, "no_lungs": 1.0, "mean_grey": 93.5}
    assert observed(None) == without
    assert observed(SimpleNamespace(score=0.9)) == without | {"gate_score": 0.9}
    assert set(FIGURES) == {*without, "gate_score"}


@pytest.mark.parametrize("name", FIGURES)
def test_bounds_ascend_to_the_largest_value(name: str) -> None:
    bounds = FIGURES[name].buckets
    assert (np.diff(bounds) > 0).all()
    assert bounds[-1] == {"set_size": len(LABELS), "mean_grey": 255}.get(name, 1)


def test_bounds_are_round() -> None:
    assert all(grey % 16 == 0 for grey in FIGURES["mean_grey"].buckets[:-1])
    assert FIGURES["set_size"].buckets == tuple(range(len(LABELS) + 1))
    assert FIGURES["no_lungs"].buckets == (0, 1)
    scores = FIGURES["gate_score"].buckets[:-1]
    assert [1 - score for score in reversed(scores)] == pytest.approx(scores, abs=0.05)
    assert min(FIGURES["top_probability"].buckets) > 1 / len(LABELS)
