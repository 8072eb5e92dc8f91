"""A section of docs/travel.md: temperature and prediction sets for a hospital outside the training data."""

from collections.abc import Iterator, Mapping, Sequence

from cxr.labels import DISPLAY_NAMES, LABELS
from reporting.document import Block, Table, Text
from study.new_hospital import COVERAGE, FEWEST, MEMBERS, Fit, HeldBack
from study.travel import BASELINE

LEAST, LARGEST = 0.85, 2.0  # the required coverage of each label, and mean size of a set


def new_hospital(
    fitted: Fit, found: Mapping[float, Sequence[HeldBack]], beside_baseline: Sequence[HeldBack]
) -> Iterator[Block]:
    """The section's texts and tables.

    Args:
        fitted: the fit on all sources.
        found: for each target coverage, the results of each source when it is held back.
        beside_baseline: the same for `COVERAGE`, for the first recipe with the baseline.
    """
    thresholds = ", ".join(f"{DISPLAY_NAMES[label]} {fitted.thresholds[label]:.3f}" for label in LABELS)
    yield Text(
        f"Each source in turn plays the new hospital. `{MEMBERS[0]}` and `{MEMBERS[1]}` (seed 0, last snapshot) were "
        "trained without it. A temperature and, by label, a threshold on 1 - p are fitted on the other left-out "
        "sources together, and measured on it. A bundle of these two recipes has values fitted on all of the sources: "
        f"temperature {fitted.temperature:.2f}, thresholds {thresholds}, for a coverage of {COVERAGE:.0%}."
    )
    yield Table(_HEADER, tuple(_row(one) for one in found[COVERAGE]), f"Target: a coverage of {COVERAGE:.0%}")
    yield Text(_verdict(found[COVERAGE]))
    if beside_baseline:
        caption = f"The same with `{BASELINE}` instead of `{MEMBERS[1]}`"
        yield Table(_HEADER, tuple(_row(one) for one in beside_baseline), caption)
    rows = tuple(_curve_row(asked, ones) for asked, ones in found.items())
    yield Table(_CURVE_HEADER, rows, "The cost of more coverage: over the sources, each held back")
    yield Text(
        "A prediction set with all three labels means: uncertain. There is no guarantee for a hospital that differs "
        "from these sources more than they differ from each other: fit thresholds again on its own images."
    )


_HEADER = (
    "held back",
    "temperature",
    *(f"coverage of {label}" for label in LABELS),
    "mean set size",
    "sets of all three",
    "ECE",
    "ECE at temperature 1",
)
_CURVE_HEADER = (
    "target",
    "lowest coverage of a label",
    "label and source",
    "mean set size: smallest to largest",
    "largest share of full sets",
)


def _row(one: HeldBack) -> tuple[str, ...]:
    return (
        f"`{one.source}`",
        f"{one.fit.temperature:.2f}",
        *(f"{one.coverage[label]:.3f}" if label in one.coverage else "–" for label in LABELS),
        f"{one.mean_size:.2f}",
        f"{one.full:.0%}",
        f"{one.ece:.3f}",
        f"{one.ece_uncalibrated:.3f}",
    )


def _curve_row(asked: float, ones: Sequence[HeldBack]) -> tuple[str, ...]:
    lowest, label, source = min((value, label, one.source) for one in ones for label, value in one.coverage.items())
    sizes = [one.mean_size for one in ones]
    return (
        f"{asked:.0%}",
        f"{lowest:.3f}",
        f"{label}, `{source}`",
        f"{min(sizes):.2f} to {max(sizes):.2f}",
        f"{max(one.full for one in ones):.0%}",
    )


def _verdict(ones: Sequence[HeldBack]) -> str:
    """Whether both requirements hold, source by source."""
    cells = [(one.source, label, value) for one in ones for label, value in one.coverage.items()]
    low = [f"{label} in `{source}` ({value:.3f})" for source, label, value in cells if value < LEAST]
    large = [f"`{one.source}` ({one.mean_size:.2f})" for one in ones if one.mean_size > LARGEST]
    return (
        f"Musts: {LEAST} for each label of {FEWEST} images or more, at a mean set size of at most {LARGEST}. "
        f"{len(cells) - len(low)} of {len(cells)} coverages reach {LEAST}; below it: {'; '.join(low) or 'none'}. "
        f"{len(ones) - len(large)} of {len(ones)} sources stay within {LARGEST}; above it: "
        f"{'; '.join(large) or 'none'}."
    )
