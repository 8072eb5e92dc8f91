"""Figures of an image and its answer that show drift. The service observes them; `cxr site` records a reference."""

from typing import Final, NamedTuple

from cxr.pipeline import Finding, Prepared


class Observed(NamedTuple):
    """A figure's description, and the bounds of its histogram."""

    about: str
    buckets: tuple[float, ...]


_SCORES: Final = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0)
_PROBABILITIES: Final = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
_SIZES: Final = (0.0, 1.0, 2.0, 3.0)
_GREYS: Final = (16.0, 32.0, 48.0, 64.0, 80.0, 96.0, 112.0, 128.0, 144.0, 160.0, 176.0, 192.0, 224.0, 255.0)

FIGURES: Final = {
    "gate_score": Observed("The gate's score of an image, 0 to 1.", _SCORES),
    "top_probability": Observed("The largest probability of an answer.", _PROBABILITIES),
    "set_size": Observed("Labels in an answer's prediction set.", _SIZES),
    "no_lungs": Observed("1 if no lungs were found for a frame that needs them, else 0.", (0.0, 1.0)),
    "mean_grey": Observed("Mean grey of a radiograph, 0 to 255.", _GREYS),
}


def figures(finding: Finding, prepared: Prepared) -> dict[str, float]:
    """The figures of one image, by name; without `gate_score` if there is no gate."""
    found = {
        "top_probability": max(finding.probabilities.values()),
        "set_size": float(len(finding.prediction_set)),
        "no_lungs": float(prepared.no_lungs),
        "mean_grey": prepared.mean_grey,
    }
    return found if finding.gate is None else {"gate_score": finding.gate.score, **found}
