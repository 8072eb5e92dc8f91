"""Colours: lightness, hue and chroma are as stated, computed back to CIELAB; weak evidence is not painted."""

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cxr.report import colour
from cxr.report.colour import BLUE, LIGHTNESS, ORANGE, blend, legend, smoothstep


def lab(rgb: NDArray[Any]) -> tuple[float, float, float]:
    """Lightness, hue angle in degrees and chroma of one colour in 0..255."""
    lightness, a, b = cv2.cvtColor(rgb[np.newaxis, np.newaxis].astype(np.float32) / 255, cv2.COLOR_RGB2Lab)[0, 0]
    return float(lightness), float(np.rad2deg(np.arctan2(b, a))) % 360, float(np.hypot(a, b))


@pytest.mark.parametrize(("place", "step", "branch"), [(510, -255, ORANGE), (0, 255, BLUE)])
def test_the_pair_of_hues_is_the_stated_one(place: int, step: int, branch: tuple[float, float, float]) -> None:
    """As close as sRGB allows: its light orange and dark blue are less saturated."""
    hue, least, most = branch
    assert len(colour._DIVERGING) == 511
    near = place + step + (1 if branch is ORANGE else -1)
    for where, lightness, chroma in ((place, LIGHTNESS[1], most), (near, LIGHTNESS[0], least)):
        found = lab(colour._DIVERGING[where])
        assert found[0] == pytest.approx(lightness, abs=3)
        assert found[1] == pytest.approx(hue, abs=16)
        assert found[2] == pytest.approx(chroma, abs=7)


def test_the_stated_pair() -> None:
    """Dark to light, orange for evidence and blue for evidence against: safe with red-green colour blindness."""
    assert LIGHTNESS[0] < 40 < 70 < LIGHTNESS[1]
    assert 40 < ORANGE[0] < 80
    assert 240 < BLUE[0] < 280
    assert abs(ORANGE[0] - BLUE[0]) > 150


def test_opacity_rises_from_015_to_075() -> None:
    strength = np.array([0, 0.15, 0.3, 0.45, 0.6, 0.75, 1], np.float32)
    assert smoothstep(strength) == pytest.approx([0, 0, 0.15625, 0.5, 0.84375, 1, 1], abs=1e-5)


@pytest.mark.parametrize("signed", [False, True])
def test_a_legend_ends_with_full_opacity_and_begins_with_none(signed: bool) -> None:
    opacity = legend(signed)[:, 3].astype(int)
    zero = 128 if signed else 0
    assert legend(signed).shape == (256, 4)
    assert opacity[zero] == 0
    assert opacity[255] == 255
    assert opacity[1 if signed else 255] == 255
    assert (np.diff(opacity[zero:]) >= 0).all()


@pytest.mark.parametrize("grey", [0, 96, 255])
def test_full_evidence_covers_seventy_two_parts_of_a_hundred(grey: int) -> None:
    painted = blend(np.full((1, 1), grey, np.uint8), np.ones((1, 1), np.float32))[0, 0].astype(float)
    yellow = legend()[255, :3].astype(float)
    assert painted == pytest.approx(0.28 * grey + 0.72 * yellow, abs=1)
