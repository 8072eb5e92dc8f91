"""Figures of discrimination: confusion matrices, ROC and precision-recall curves, risk-coverage."""

from typing import Any

import numpy as np

from cxr.labels import DISPLAY_NAMES, LABELS
from evaluation.split_evaluation import Curve, SplitEvaluation
from reporting.document import Picture
from reporting.style import ACCENT, COLOURS, INK, LINES, SOFT, panels, svg

NAMES = [DISPLAY_NAMES[label] for label in LABELS]


def confusion_picture(found: SplitEvaluation) -> Picture:
    """Counts, and shares of each true label."""
    counts, shares = found.confusion, np.array(found.recalls)
    with panels(2, height=3.6) as (figure, axes):
        for axis, title, texts in (
            (axes[0, 0], "Images", [[f"{cell:,}" for cell in row] for row in counts]),
            (axes[0, 1], "Share of the true label", [[f"{cell:.1%}" for cell in row] for row in shares]),
        ):
            _matrix(axis, shares, texts)
            axis.set(title=title, xlabel="predicted", ylabel="true")
        drawn = svg(figure)
    caption = (
        "Confusion matrices: rows are true labels, columns predicted ones. The diagonal of the right one is recall."
    )
    return Picture(f"confusion-{found.split}", "Confusion matrices in images and in shares", caption, drawn)


def _matrix(axis: Any, shares: Any, texts: list[list[str]]) -> None:
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)
    axis.set_xticks(range(len(NAMES)), NAMES)
    axis.set_yticks(range(len(NAMES)), NAMES)
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > 0.55 else INK
        axis.text(column, row, texts[row][column], ha="center", va="center", color=colour, fontsize=11)


def curves_picture(found: SplitEvaluation) -> Picture:
    """ROC and precision-recall curves of each label against the rest, with pointwise bands."""
    with panels(2, height=4.4) as (figure, axes):
        roc, pr = axes[0]
        for label in LABELS:
            for axis, kind, figure_of in ((roc, "roc", "auroc"), (pr, "pr", "ap")):
                title = f"{DISPLAY_NAMES[label]} {found.figures[f'{label}_{figure_of}']}"
                line(axis, found.curves[f"{kind}/{label}"], COLOURS[label], LINES[label], title)
            share = found.share(label)
            pr.plot([0, 1], [share, share], color=COLOURS[label], lw=0.7, ls=":")
        roc.plot([0, 1], [0, 1], color=SOFT, lw=0.7, ls=":")
        roc.set(title="ROC", xlabel="false positive rate (1 - specificity)", ylabel="sensitivity (recall)")
        pr.set(title="Precision-recall", xlabel="recall (sensitivity)", ylabel="precision (PPV)")
        for axis, place in ((roc, "AUROC"), (pr, "average precision")):
            axis.set(xlim=(-0.01, 1.01), ylim=(0, 1.02))
            axis.legend(title=place, loc="lower right" if axis is roc else "lower left", alignment="left")
        drawn = svg(figure)
    caption = (
        "Each label against the two others, over all thresholds; bands are pointwise 95 % intervals. Dotted: "
        "guessing. The service itself applies no threshold; it predicts the most probable label."
    )
    return Picture(f"curves-{found.split}", "ROC and precision-recall curves of the three labels", caption, drawn)


def risk_picture(found: SplitEvaluation) -> Picture:
    """The error rate if only the most certain images are answered."""
    with panels(1, width=6.4, height=3.6) as (figure, axes):
        axis = axes[0, 0]
        line(axis, found.curves["risk"], ACCENT, "-", f"AURC {found.figures['risk/aurc']}")
        axis.set(
            title="Risk-coverage", xlabel="coverage (share of images answered)", ylabel="error rate", xlim=(0, 1.01)
        )
        axis.set_ylim(bottom=0)
        axis.legend(loc="upper left")
        drawn = svg(figure)
    caption = (
        "Error rate among the images with the largest probabilities, if only that share of all images is answered; "
        "the band is a pointwise 95 % interval. An uninformative confidence gives a flat line."
    )
    return Picture(f"risk-{found.split}", "Error rate over the share of images answered", caption, drawn)


def line(axis: Any, curve: Curve, colour: str, style: str, label: str) -> None:
    """A curve and the band of its intervals."""
    x, value, low, high = (np.array(part, dtype=float) for part in (curve.x, curve.value, curve.low, curve.high))
    axis.fill_between(x, low, high, color=colour, alpha=0.13, lw=0)
    axis.plot(x, value, color=colour, ls=style, lw=1.7, label=label)
