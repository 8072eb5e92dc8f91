"""The style of all figures: colours for colour-blind readers, and reproducible SVG."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from cxr.labels import Label

# Okabe & Ito 2008; each label also has its own marker and line style, for printing in grey.
COLOURS: Final[dict[Label, str]] = {"normal": "#0072B2", "pneumonia": "#009E73", "covid19": "#D55E00"}
LINES: Final[dict[Label, str]] = {"normal": "--", "pneumonia": "-.", "covid19": "-"}
MARKERS: Final[dict[Label, str]] = {"normal": "s", "pneumonia": "^", "covid19": "o"}
INK, SOFT, FAINT = "#1C2733", "#5B6875", "#D9E0E6"
ACCENT, SECOND = "#0072B2", "#E69F00"

_STYLE: Final[Any] = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "text.color": INK,
    "legend.frameon": False,
    "svg.hashsalt": "report",  # otherwise the ids of elements differ between runs
    "figure.constrained_layout.use": True,
}


@contextmanager
def panels(columns: int, rows: int = 1, width: float = 9.6, height: float = 3.8, **options: Any) -> Iterator[Any]:
    """A figure in the report's style and its axes, as from `pyplot.subplots`. It is closed at the end."""
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False, **options)
        try:
            yield figure, axes
        finally:
            plt.close(figure)


def svg(figure: Any) -> str:
    """A figure as an SVG string without a date, so that it only changes if the figure changes."""
    buffer = io.StringIO()
    with plt.rc_context(_STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
