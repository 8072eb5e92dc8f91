"""Average precision of boxes, counted by hand."""

import numpy as np
import pytest

from evaluation.maps.detection import Found, average_precision, overlap

LEFT, RIGHT = (0.1, 0.1, 0.2, 0.4), (0.6, 0.1, 0.2, 0.4)
NOWHERE = (0.4, 0.8, 0.1, 0.1)
ALL = np.ones((1, 2))


def ap(found: list[list[Found]], weights: np.ndarray = ALL) -> float:
    return float(average_precision(found, [[LEFT, RIGHT], []])(weights)["ap"][0])


def test_overlap() -> None:
    assert overlap(LEFT, LEFT) == pytest.approx(1)
    assert overlap(LEFT, RIGHT) == 0
    assert overlap(LEFT, (0.1, 0.1, 0.2, 0.2)) == pytest.approx(0.5)


def test_all_found_and_nothing_else() -> None:
    assert ap([[Found(LEFT, 0.9), Found(RIGHT, 0.8)], []]) == pytest.approx(1)


def test_a_false_box_counts_by_its_confidence() -> None:
    sure = [[Found(LEFT, 0.9), Found(RIGHT, 0.8)], [Found(NOWHERE, 0.95)]]
    unsure = [[Found(LEFT, 0.9), Found(RIGHT, 0.8)], [Found(NOWHERE, 0.1)]]
    assert ap(sure) == pytest.approx(2 / 3)  # precision 1/2, then 2/3, and its envelope
    assert ap(unsure) == pytest.approx(1)
    assert ap(sure, np.array([[1.0, 0.0]])) == pytest.approx(1), "an image that is not drawn does not count"


def test_a_box_is_found_once_and_one_that_is_half_off_never() -> None:
    assert ap([[Found(LEFT, 0.9), Found(LEFT, 0.8)], []]) == pytest.approx(0.5)
    assert ap([[Found((0.1, 0.1, 0.2, 0.19), 0.9)], []]) == 0


def test_nothing_found_or_nothing_to_find() -> None:
    assert ap([[], []]) == 0
    assert np.isnan(ap([[Found(LEFT, 0.9)], []], np.array([[0.0, 1.0]])))
