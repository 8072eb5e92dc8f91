"""Drawing: scales and bars measure what they say, and words fit."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from cxr.report.drawing import (
    ACCENT,
    BAR_WIDTH,
    BLACK,
    GREY,
    TRACK,
    draw_bar,
    draw_probability,
    font,
    write,
    write_lines,
)

AT, HEIGHT = (10, 20), 101


def bar(signed: bool) -> NDArray[Any]:
    canvas = Image.new("RGB", (220, 160))
    draw_bar(canvas, AT, HEIGHT, signed)
    return np.asarray(canvas)


@pytest.mark.parametrize("signed", [False, True])
def test_a_colour_bar_has_its_ticks_at_the_ends_and_in_the_middle(signed: bool) -> None:
    picture = bar(signed)
    left, top = AT
    for column in (left + 19, left + 24):
        assert np.flatnonzero((picture[:, column] == GREY).all(axis=1)).tolist() == [top, top + 50, top + 100]
    assert not (picture[:, left + 25 : left + 29] == GREY).all(axis=2).any()
    coloured = picture[top : top + HEIGHT, left : left + 18]
    assert coloured.any(axis=2).all()
    assert (coloured == coloured[:, :1]).all()


@pytest.mark.parametrize("signed", [False, True])
def test_a_colour_bar_keeps_to_its_place_and_its_title_is_centred(signed: bool) -> None:
    picture = bar(signed)
    left, top = AT
    rows, columns = np.nonzero(picture.any(axis=2))
    assert (columns.min(), columns.max()) >= (left, 0)
    assert columns.max() < left + BAR_WIDTH
    title = picture[:, left + (92 if signed else 72) :].max(axis=2) > 60
    inked = np.flatnonzero(title.any(axis=1))
    assert (inked[0] + inked[-1]) / 2 == pytest.approx(top + HEIGHT / 2, abs=4)
    assert rows.min() >= top - 12


@pytest.mark.parametrize(("p", "marked"), [(0.0, True), (0.25, True), (1.0, False)])
def test_a_probabilitys_bar_is_as_long_as_it_is_large(p: float, marked: bool) -> None:
    canvas = Image.new("RGB", (480, 60), BLACK)
    draw_probability(ImageDraw.Draw(canvas), (10, 20), ("", p, ""), marked)
    picture = np.asarray(canvas)
    filled = (picture == (ACCENT if marked else GREY)).all(axis=2)
    rows, columns = np.nonzero(filled)
    assert (rows.min(), rows.max()) == (26, 38)
    assert (columns.min(), columns.max()) == (140, 140 + round(180 * p))
    track = np.nonzero((picture == TRACK).all(axis=2) | filled)[1]
    assert (track.min(), track.max()) == (140, 320)


def test_a_probabilitys_words_are_beside_its_bar() -> None:
    canvas = Image.new("RGB", (480, 60), BLACK)
    draw_probability(ImageDraw.Draw(canvas), (10, 20), ("label", 0.5, "50 %"), False)
    inked = np.flatnonzero((np.asarray(canvas) != BLACK).any(axis=(0, 2)))
    assert inked[0] >= 10
    assert set(range(321, 336)).isdisjoint(inked)
    assert 336 <= inked[inked > 320].min() < 340


def test_a_line_shrinks_until_it_fits_and_no_further_than_ten() -> None:
    drawn: list[int] = []

    class Recorder:
        def text(self, _at: tuple[int, int], _text: str, **options: Any) -> None:
            drawn.append(int(options["font"].size))

    width = int(font(14).getlength("radiograph"))
    for allowed in (10_000, width + 1, 1):
        write(Recorder(), (0, 0), "radiograph", 20, GREY, allowed)  # type: ignore[arg-type]
    assert drawn == [20, 14, 10]


def test_lines_are_one_and_a_third_of_their_size_apart() -> None:
    draw = ImageDraw.Draw(Image.new("RGB", (100, 100)))
    assert write_lines(draw, (0, 7), ["a", "b"], 20, GREY, 100) == 7 + 2 * 27
    assert write_lines(draw, (0, 7), [], 20, GREY, 100) == 7
