"""Plausibility: each limit of a pair of lungs, on rectangles at the limit and one pixel beyond it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from cxr.anatomy.plausibility import Lungs, NoLungs, judge, union

SIDE = 100
Rectangle = tuple[int, int, int, int]
"""Left, top, width, height."""


def rectangles(*shapes: Rectangle) -> NDArray[np.bool_]:
    mask = np.zeros((SIDE, SIDE), bool)
    for x, y, width, height in shapes:
        mask[y : y + height, x : x + width] = True
    return mask


def reason(*shapes: Rectangle) -> str:
    judged = judge(rectangles(*shapes))
    return judged.reason if isinstance(judged, NoLungs) else ""


@pytest.mark.parametrize(
    ("last", "beyond", "expected"),
    [
        # a tenth of the image, and both lungs at the lowest allowed position
        ([(10, 20, 20, 25), (60, 20, 20, 25)], [(10, 20, 20, 25), (60, 20, 19, 25)], "too small or too large"),
        ([(2, 10, 40, 80), (50, 10, 44, 75)], [(2, 10, 40, 80), (50, 10, 44, 76)], "too small or too large"),
        # a third part with a quarter of the larger lung's area is not a speck
        (
            [(5, 5, 30, 40), (60, 5, 30, 40), (5, 60, 13, 23)],
            [(5, 5, 30, 40), (60, 5, 30, 40), (5, 60, 10, 30)],
            "not in two parts",
        ),
        ([(5, 20, 25, 40), (60, 28, 16, 25)], [(5, 20, 25, 40), (60, 28, 15, 26)], "differ too much in size"),
        ([(10, 10, 30, 30), (60, 30, 30, 30)], [(10, 10, 30, 30), (60, 31, 30, 30)], "side by side"),
        ([(10, 10, 15, 40), (30, 30, 15, 40)], [(10, 10, 15, 40), (29, 30, 13, 40)], "side by side"),
        ([(10, 20, 30, 25), (60, 20, 30, 25)], [(10, 20, 30, 25), (60, 20, 30, 24)], "implausible shape"),
    ],
    ids=["smallest", "largest", "speck", "balance", "shift", "beside", "height"],
)
def test_a_limit_is_believed_and_one_pixel_beyond_is_not(
    last: list[Rectangle], beyond: list[Rectangle], expected: str
) -> None:
    assert reason(*last) == ""
    assert expected in reason(*beyond)


def test_an_angle_is_less_solid_than_a_lung() -> None:
    """An L with arms 20 wide covers 1,600 of its hull's about 2,600 pixels; with arms 40 wide it covers 0.9 of it."""
    for arm, expected in ((15, "implausible shape"), (40, "")):
        corner = [(5, 20, arm, 50), (5, 20 + 50 - arm, 45, arm)]
        mask = rectangles(*corner, (60, 20, 30, 50))
        judged = judge(mask)
        assert (judged.reason if isinstance(judged, NoLungs) else "").endswith(expected)
        assert isinstance(judged, Lungs) == (not expected)


def test_the_union_is_both_lungs_or_nothing() -> None:
    mask = rectangles((10, 10, 30, 40), (60, 10, 30, 40))
    both = union(judge(mask))
    assert both is not None
    assert np.array_equal(both, mask)
    assert union(NoLungs("none")) is None
