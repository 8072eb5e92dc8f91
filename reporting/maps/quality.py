"""The quality of the maps: a table, bars with intervals, and the test of the paper's claim."""

from typing import Any, Final

from evaluation.maps.quality import CRITERIA, METHOD_NAMES, Criterion, Explanations
from reporting.calibration_pictures import interval_bar
from reporting.document import Items, Picture, Section, Table, Text
from reporting.style import ACCENT, INK, SOFT, panels, svg

DRAWN: Final = ("deletion", "insertion", "aopc", "infidelity", "randomised", "lungs")
ABOUT: Final = (
    "Every map explains the label that the network predicts. Deletion and insertion (RISE) blur or restore cells of an "
    "8-pixel grid in the map's order, and are compared with a random order of the same cells. AOPC is the area between "
    "the logits with the least and with the most relevant cells blurred first. Infidelity: how badly the map's "
    "evidence in a square predicts the loss of logit when the square is blurred. Max-sensitivity: the largest change "
    "of a map under noise of five grey levels. Weights shuffled: the similarity to the map of the same network with "
    "shuffled weights, which should be low. The last two are not measured for integrated gradients and occlusion, "
    "which take seconds per image. The lungs come from a segmenter."
)


def maps_section(found: Explanations) -> Section:
    """The section about one network's explanations."""
    return Section(
        f"How good are the maps of {found.architecture}?",
        (Text(ABOUT), _table(found), _picture(found), Items(tuple(found.verdict()))),
    )


def _table(found: Explanations) -> Table:
    rows = [
        (
            f"{criterion.title} ({criterion.better} is better)",
            *(str(found.figures.get(f"{method}/{name}", "")) for method in METHOD_NAMES),
        )
        for name, criterion in CRITERIA.items()
    ]
    caption = (
        f"Means over {found.images:,} validation images of {found.patients:,} patients, with 95 % intervals by "
        f"patients; lungs known in {found.lungs:,}. Measured in {found.seconds:.0f} s on {found.device}."
    )
    return Table(("criterion", *METHOD_NAMES.values()), tuple(rows), caption)


def _picture(found: Explanations) -> Picture:
    with panels(3, rows=2, width=9.6, height=4.8, sharey=True) as (figure, axes):
        for axis, name in zip(axes.flat, DRAWN, strict=True):
            _bars(axis, found, name, CRITERIA[name])
        axes[0, 0].set_yticks(range(len(METHOD_NAMES)), METHOD_NAMES.values())
        axes[0, 0].set_ylim(len(METHOD_NAMES) - 0.5, -0.5)
        drawn = svg(figure)
    alt = "Methods and two baselines by six criteria"
    caption = "Means and 95 % intervals by patients; baselines in grey. The arrow points to the better side."
    return Picture(f"maps-{found.architecture}", alt, caption, drawn)


def _bars(axis: Any, found: Explanations, name: str, criterion: Criterion) -> None:
    axis.axvline(1.0 if name in ("lungs", "infidelity") else 0.0, color=INK, lw=0.8, ls=":")
    for place, method in enumerate(METHOD_NAMES):
        figure = found.figures.get(f"{method}/{name}")
        colour = SOFT if method in ("random", "gaussian") else ACCENT
        if figure is not None and figure.value is not None:
            interval_bar(axis, figure.low, figure.high, place, colour)
            axis.plot([figure.value], [place], "o", color=colour, ms=6, zorder=3)
    arrow = "→" if criterion.better == "higher" else "←"
    axis.set_xlabel(f"{criterion.title} {arrow}", fontsize=8.5)
