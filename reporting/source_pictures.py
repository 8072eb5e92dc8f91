"""Figures by source: a good average can hide a bad result in one hospital."""

from cxr.labels import DISPLAY_NAMES, LABELS
from evaluation.split_evaluation import SplitEvaluation
from reporting.calibration_pictures import interval_bar
from reporting.document import Picture
from reporting.style import COLOURS, INK, MARKERS, SOFT, panels, svg


def sources_picture(found: SplitEvaluation) -> Picture:
    """Recall of every label in every source that has it."""
    rows = [(s, label) for s in found.sources for label in LABELS if found.counts.get(f"{s}/{label}")]
    with panels(1, width=8.2, height=0.9 + 0.3 * len(rows)) as (figure, axes):
        axis = axes[0, 0]
        for place, (source, label) in enumerate(rows):
            recall = found.figures[f"source/{source}/{label}/recall"]
            interval_bar(axis, recall.low, recall.high, place, COLOURS[label])
            axis.plot([recall.value], [place], MARKERS[label], color=COLOURS[label], ms=6.5, zorder=3)
            axis.text(1.03, place, f"n = {found.counts[f'{source}/{label}']:,}", va="center", fontsize=9, color=SOFT)
            if place and rows[place - 1][0] != source:
                axis.axhline(place - 0.5, color=SOFT, lw=0.5)
        axis.axvline(found.figures["accuracy"].value, color=INK, lw=0.8, ls=":")
        axis.set_yticks(range(len(rows)), [f"{source}, {DISPLAY_NAMES[label]}" for source, label in rows])
        axis.set(xlim=(-0.02, 1.02), ylim=(len(rows) - 0.5, -0.5), xlabel="recall (dotted: accuracy over all images)")
        drawn = svg(figure)
    caption = (
        "Recall by source and label, with 95 % intervals by patients; n images each. If all images of a row have the "
        "same result, the bootstrap gives an empty interval: a missing bar does not mean certainty."
    )
    return Picture(f"sources-{found.split}", "Recall of each label in each source", caption, drawn)
