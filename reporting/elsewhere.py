"""The first section of report and card: the model's figures at hospitals outside its training data."""

from collections.abc import Iterator, Sequence

from cxr.labels import DISPLAY_NAMES, LABELS, Label
from evaluation.elsewhere import Elsewhere
from reporting.document import Block, Section, Table, Text

CALLED = "The probability is calibrated on sources that were left out of training"


def elsewhere_section(found: Sequence[Elsewhere]) -> Section:
    """The figures of each left-out source, and their meaning in words."""
    return Section("At a hospital that it has not learnt from", tuple(_blocks(found)))


def _blocks(found: Sequence[Elsewhere]) -> Iterator[Block]:
    yield Text(" ".join(_words(found)))
    yield Table(_HEADER, tuple(_row(one) for one in found), "Left-out sources, training and validation images")
    yield Text(
        "For each row, networks with the members' recipes were trained without that source and its patients. AUROC is "
        "that of p(first) / (p(first) + p(second)), the mean over the available seeds, with its 95 % interval. For "
        "recall, the largest probability is the answer. Temperature and thresholds of the sets were fitted on the "
        "other sources of the table. The model itself has learnt from all sources: its figures at yet another "
        "hospital are unknown."
    )


def _words(found: Sequence[Elsewhere]) -> Iterator[str]:
    for one in found:
        if one.auroc is not None and one.other == "normal" and one.told == "covid19":
            missed = 1 - one.recall["normal"]
            yield (
                f"At `{one.source}` it tells {DISPLAY_NAMES[one.told]} from normal with an AUROC of {one.auroc}, and "
                f"gives {missed:.0%} of the normal radiographs another label."
            )
    errors = [one.ece for one in found]
    yield (
        f"{CALLED}; at a source held back it is off by {min(errors):.2f} to {max(errors):.2f} on average (ECE). "
        "The labels that a prediction set excludes are more reliable than the largest probability."
    )


_HEADER = (
    "source",
    "images",
    "AUROC",
    *(f"recall of {DISPLAY_NAMES[label]}" for label in LABELS),
    *(f"sets contain {DISPLAY_NAMES[label]}" for label in LABELS),
    "mean set size",
    "sets of all three",
    "ECE",
)


def _row(one: Elsewhere) -> tuple[str, ...]:
    auroc = (
        f"{one.auroc} {DISPLAY_NAMES[one.told]} against {DISPLAY_NAMES[one.other]}" if one.auroc and one.other else "–"
    )
    recalls, coverages = (tuple(_share(values, label) for label in LABELS) for values in (one.recall, one.coverage))
    return (
        f"`{one.source}`",
        f"{one.images:,}",
        auroc,
        *recalls,
        *coverages,
        f"{one.mean_size:.2f}",
        f"{one.full:.0%}",
        f"{one.ece:.3f}",
    )


def _share(values: dict[Label, float], label: Label) -> str:
    return f"{values[label]:.3f}" if label in values else "–"
