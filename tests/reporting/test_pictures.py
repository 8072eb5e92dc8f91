"""Figures: valid SVG, the same each time, with the numbers of the evaluation that ships in them."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from cxr.labels import LABELS
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle
from evaluation.evaluation_file import BundleEvaluation
from evaluation.split_evaluation import SplitEvaluation
from reporting.calibration_pictures import coverage_picture, reliability_picture
from reporting.discrimination_pictures import confusion_picture, curves_picture, risk_picture
from reporting.document import Picture
from reporting.learning_curve import learning_curve, plot_learning_curve
from reporting.source_pictures import sources_picture
from reporting.study import learning_picture
from reporting.style import COLOURS, LINES, MARKERS
from training.config import TrainConfig
from training.rundir import RunDir

FOUND = BundleEvaluation.read(Bundle(DEFAULT_BUNDLE)).splits["val"]

DRAWERS: list[Callable[[SplitEvaluation], Picture]] = [
    confusion_picture,
    curves_picture,
    risk_picture,
    reliability_picture,
    lambda found: coverage_picture(found, 0.9),
    sources_picture,
]


@pytest.mark.parametrize("draw", DRAWERS)
def test_a_figure_is_the_same_each_time_and_says_what_it_shows(draw: Callable[[SplitEvaluation], Picture]) -> None:
    picture, again = draw(FOUND), draw(FOUND)
    assert picture == again
    assert ElementTree.fromstring(picture.svg).tag.endswith("svg")
    assert picture.name.endswith("-val")
    assert re.fullmatch(r"[a-z-]+", picture.name)
    assert picture.alt
    assert picture.caption.endswith(".")


def comments(svg: str) -> set[str]:
    """The texts of a figure: matplotlib draws glyphs, and stores their text in comments."""
    return {text.strip() for text in re.findall(r"<!--(.*?)-->", svg)}


def test_the_numbers_drawn_are_those_measured() -> None:
    counts = {f"{cell:,}" for row in FOUND.confusion for cell in row}
    assert counts <= comments(confusion_picture(FOUND).svg)
    assert f"After: ECE {FOUND.figures['ece']}" in comments(reliability_picture(FOUND).svg)
    assert f"COVID-19 {FOUND.figures['covid19_auroc']}" in comments(curves_picture(FOUND).svg)
    rows = {f"n = {count:,}" for name, count in FOUND.counts.items() if "/" in name}
    assert rows <= comments(sources_picture(FOUND).svg)


def test_every_label_is_distinguishable_without_colour() -> None:
    for style in (COLOURS, LINES, MARKERS):
        assert len({style[label] for label in LABELS}) == len(LABELS)


def test_a_learning_curve_of_a_run(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "a run")
    run.begin(TrainConfig(epochs=4, cycles=2), "0" * 64)
    for epoch in range(1, 5):
        run.log(
            {"cycle": (epoch + 1) // 2, "epoch": epoch, "train_loss": 1 / epoch, "val_loss": 1.0, "val_macro_f1": 0.5}
        )
    picture = learning_picture(run)
    assert picture.name == "learning-a-run"
    assert "in 2 cycles" in picture.caption
    assert "α(t)" in comments(picture.svg)
    plot_learning_curve(run)
    image = cv2.imdecode(np.fromfile(run.path / "learning-curve.png", np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert min(image.shape[:2]) > 480
    assert image.std() > 5


def test_a_cycle_that_is_not_over_has_no_snapshot(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.begin(TrainConfig(epochs=4, cycles=2), "0" * 64)
    for epoch in range(1, 4):
        run.log({"cycle": (epoch + 1) // 2, "epoch": epoch, "train_loss": 1.0, "val_loss": 1.0, "val_macro_f1": 0.5})
    with learning_curve(run) as figure:
        (dots,) = (line for axis in figure.axes for line in axis.lines if line.get_label() == "snapshot")
        assert list(dots.get_xdata()) == [2]
