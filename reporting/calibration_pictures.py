"""Figures of the calibration of probabilities and prediction sets."""

from typing import Any

import numpy as np

from cxr.labels import DISPLAY_NAMES, LABELS
from evaluation.metrics import ECE_BINS
from evaluation.split_evaluation import Curve, SplitEvaluation
from reporting.document import Picture
from reporting.style import ACCENT, COLOURS, FAINT, INK, MARKERS, SOFT, panels, svg


def reliability_picture(found: SplitEvaluation) -> Picture:
    """Accuracy over confidence, before and after the temperature is applied."""
    with panels(2, rows=2, height=5.2, height_ratios=[4, 1], sharex=True) as (figure, axes):
        for column, (prefix, title) in enumerate((("uncalibrated/", "Before the temperature"), ("", "After"))):
            top, bottom = axes[:, column]
            _reliability(top, found, prefix)
            top.set(title=f"{title}: ECE {found.figures[f'{prefix}ece']}", ylabel="accuracy", ylim=(0, 1.03))
            _histogram(bottom, found.curves[f"{prefix}share"])
        drawn = svg(figure)
    caption = (
        f"Reliability over the largest probability, {ECE_BINS} bins, on the {found.held_out:,} images that were not "
        "used to fit temperature and thresholds. Bars are 95 % intervals by patients; a perfectly calibrated model "
        "with these confidences would lie in the grey bands 95 % of the time. Below: the number of images in each bin."
    )
    return Picture(f"reliability-{found.split}", "Reliability diagrams before and after calibration", caption, drawn)


def _reliability(axis: Any, found: SplitEvaluation, prefix: str) -> None:
    if not prefix:
        ideal = found.curves["if_calibrated/reliability"]
        for place, *ends in zip(ideal.x, ideal.low, ideal.high, strict=True):
            axis.plot([place, place], ends, color=FAINT, lw=9, solid_capstyle="butt", zorder=1)
    axis.plot([0, 1], [0, 1], color=SOFT, lw=0.8, ls=":")
    curve = found.curves[f"{prefix}reliability"]
    x, value, low, high = (np.array(part, dtype=float) for part in (curve.x, curve.value, curve.low, curve.high))
    bars = np.abs(np.stack([value - low, high - value]))
    axis.errorbar(x, value, bars, fmt="o", color=ACCENT, ms=4.5, lw=1.1, capsize=2, zorder=3)
    axis.set_xlim(0.3, 1.02)


def _histogram(axis: Any, share: Curve) -> None:
    x = np.array(share.x, dtype=float)
    bins = np.minimum((x * ECE_BINS).astype(int), ECE_BINS - 1)
    axis.bar((bins + 0.5) / ECE_BINS, np.array(share.value, dtype=float), 0.8 / ECE_BINS, color=SOFT)
    axis.set(xlabel="largest probability", ylabel="share", ylim=(0, 1))


def coverage_picture(found: SplitEvaluation, target: float) -> Picture:
    """Coverage of the conformal sets by label, with the range expected by theory, and the sizes of the sets."""
    with panels(2, height=3.2, width_ratios=[3, 2]) as (figure, axes):
        left, right = axes[0]
        for place, label in enumerate(LABELS):
            _coverage(left, found, label, place)
        left.axvline(target, color=INK, lw=0.8, ls=":")
        left.set_yticks(range(len(LABELS)), [DISPLAY_NAMES[label] for label in LABELS])
        left.set(title="Coverage by true label", xlabel="share of images whose set contains the true label")
        left.set_ylim(len(LABELS) - 0.5, -0.5)
        sizes = [found.figures[f"conformal/size_{size}"] for size in range(len(LABELS) + 1)]
        value, low, high = (
            np.array([getattr(size, part) or 0.0 for size in sizes]) for part in ("value", "low", "high")
        )
        right.bar(range(len(sizes)), value, 0.65, color=ACCENT, alpha=0.85)
        right.errorbar(
            range(len(sizes)), value, np.abs([value - low, high - value]), fmt="none", color=INK, lw=1, capsize=3
        )
        right.set_xticks(range(len(sizes)), ["0: uncertain", "1", "2", "3"])
        right.set(title="Labels in a set", ylabel="share of images", ylim=(0, 1))
        drawn = svg(figure)
    caption = (
        f"Class-conditional conformal sets at {target:.0%} on the {found.held_out:,} images not used to fit them. "
        "Points: measured, with 95 % intervals by patients; grey bands: the 95 % beta-binomial intervals that theory "
        "gives for exactly calibrated sets at these numbers of images; dotted: the target."
    )
    return Picture(f"coverage-{found.split}", "Coverage of the conformal prediction sets by label", caption, drawn)


def _coverage(axis: Any, found: SplitEvaluation, label: Any, place: int) -> None:
    expected = found.figures.get(f"conformal/{label}/expected")
    if expected is not None:
        axis.plot([expected.low, expected.high], [place, place], color=FAINT, lw=16, solid_capstyle="butt", zorder=1)
    measured = found.figures[f"conformal/{label}/coverage"]
    interval_bar(axis, measured.low, measured.high, place, COLOURS[label])
    axis.plot([measured.value], [place], MARKERS[label], color=COLOURS[label], ms=7, zorder=3)


def interval_bar(axis: Any, low: float | None, high: float | None, place: float, colour: str) -> None:
    """A horizontal 95 % interval with caps."""
    axis.plot([low, high], [place, place], "|-", color=colour, lw=1.4, ms=7, zorder=2)
