"""Which uses of a bundle a site's figures support, by rules that were fixed before any site was measured.

A rule uses the lower or upper end of an interval, never the value alone. With too few images the result is "unknown".
None of this makes the model a medical device.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from cxr.labels import DISPLAY_NAMES, LABELS, Label
from evaluation.figure import Figure
from study.site.needs import UNKNOWN

Answer = Literal["yes", "no", "not known"]

SUITS: Final = "be shown this site's radiographs at all"
"""The use that all others need."""

UNUSUAL: Final = 0.10
"""The largest share of a site's files that decoder, gate or segmenter may refuse or doubt."""
AUROC: Final = 0.75
"""The smallest lower end of the AUROC's interval for sorting patients by score."""
NAMED: Final = 0.70
"""The smallest lower end of the intervals of sensitivity and specificity for using a single label."""


@dataclass(frozen=True, slots=True)
class Use:
    """A possible use at a site, whether it is supported, and why."""

    use: str
    answer: Answer
    why: str


def uses(
    counts: Mapping[Label, int],
    doubted: Figure,
    before: Mapping[str, Figure],
    after: Mapping[str, Figure],
    target: float,
) -> list[Use]:
    """All uses; each builds on those before it.

    Args:
        counts: images by label.
        doubted: share of the site's files that were refused, unfamiliar or without lungs.
        before: figures of the bundle as shipped (`study.site.needs.known`).
        after: those of `conformal` and `ece` recalibrated, cross-fitted.
        target: the sets' target coverage.
    """
    return [
        _suits(doubted),
        *(_sorts(label, before.get(f"{label}_auroc", UNKNOWN)) for label in LABELS if counts.get(label)),
        _sets(after, target),
        _probabilities(after),
        _label(counts, before),
    ]


def _said(figure: Figure) -> str:
    """A figure as text for a sentence."""
    return f"{figure.value:.2f} ({figure.low:.2f} to {figure.high:.2f})"


def _suits(doubted: Figure) -> Use:
    use = SUITS
    if doubted.low is None or doubted.high is None or doubted.value is None:
        return Use(use, "not known", "too few images")
    if doubted.low > UNUSUAL:
        return Use(use, "no", f"{doubted.value:.0%} of the files were refused, unfamiliar or without lungs")
    return Use(use, "yes", f"{doubted.value:.0%} of the files were refused, unfamiliar or without lungs")


def _sorts(label: Label, auroc: Figure) -> Use:
    use = f"be used to sort patients by the score of {DISPLAY_NAMES[label]}"
    if auroc.low is None or auroc.value is None:
        return Use(use, "not known", "too few images with the label, or without it")
    why = f"AUROC {_said(auroc)}; its lower end must reach {AUROC:.2f}"
    return Use(use, "yes" if auroc.low >= AUROC else "no", why)


def _sets(after: Mapping[str, Figure], target: float) -> Use:
    use = f"be used for the labels that a prediction set excludes, at {target:.0%} coverage, after recalibration"
    coverages = {label: after.get(f"conformal/{label}/coverage", UNKNOWN) for label in LABELS}
    measured = {label: figure for label, figure in coverages.items() if figure.high is not None}
    if not measured:
        return Use(use, "not known", "too few images of every label")
    short = [label for label, figure in measured.items() if figure.high is not None and figure.high < target]
    words = ", ".join(f"{DISPLAY_NAMES[label]} {_said(figure)}" for label, figure in measured.items())
    unknown = [DISPLAY_NAMES[label] for label in LABELS if label not in measured]
    beside = f"; unknown for {' and '.join(unknown)}" if unknown else ""
    return Use(use, "no" if short else "yes", f"coverage {words}{beside}")


def _probabilities(after: Mapping[str, Figure]) -> Use:
    use = "be used for its probabilities as frequencies, after recalibration"
    error, ideal = after.get("ece", UNKNOWN), after.get("if_calibrated/ece", UNKNOWN)
    side = error.side_of(ideal)
    if side is None:
        return Use(use, "not known", "too few images")
    why = f"ECE {_said(error)}; perfect calibration would show {_said(ideal)}"
    return Use(use, "no" if side > 0 else "yes", why)


def _label(counts: Mapping[Label, int], before: Mapping[str, Figure]) -> Use:
    use = "be used for only the label of the largest probability"
    ends = dict(_lower_ends(counts, before))
    if not ends:
        return Use(use, "not known", "too few images of every label")
    name, least = min(ends.items(), key=lambda item: item[1])
    why = f"the lowest lower end is that of {name}, {least:.2f}; it must reach {NAMED:.2f}"
    return Use(use, "yes" if least >= NAMED else "no", why)


def _lower_ends(counts: Mapping[Label, int], before: Mapping[str, Figure]) -> Iterator[tuple[str, float]]:
    for label in LABELS:
        for kind, said in (("recall", "sensitivity"), ("specificity", "specificity")):
            figure = before.get(f"{label}_{kind}", UNKNOWN)
            if counts.get(label) and figure.low is not None:
                yield f"the {said} of {DISPLAY_NAMES[label]}", figure.low
