"""Every English sentence about a finding and a map, in one place for review and translation.

Names in braces are filled in by `cxr.report.wording` and `cxr.report.illustrate`; a translation keeps them.
Labels and the disclaimer are in `cxr.labels`, names of methods in `cxr.report.explanation`, the reasons of `no_lungs`
in `cxr.anatomy.plausibility`.
"""

from collections.abc import Mapping
from typing import Final, Literal

# The finding. {p} is a probability, {coverage} a percentage.
CLASSIFIED: Final = "The radiograph is classified as {label} with probability {p}."
NOTHING_FITS: Final = "Uncertain: at {coverage} coverage none of the three classes fits."
NOTHING_RULED_OUT: Final = "Uncertain: at {coverage} coverage none of the three classes can be ruled out."
ALONE: Final = "No other class fits at {coverage} coverage."  # not "ruled out": a radiograph cannot exclude COVID-19
NOT_THE_PREDICTION: Final = (
    "Uncertain: at {coverage} coverage the predicted class does not fit, but {labels} cannot be ruled out."
)
NOT_RULED_OUT: Final = "{labels} cannot be ruled out at {coverage} coverage."
UNDER, OVER = "under 0.01", "over 0.99"

# What a map shows. {what} is one of the two texts below; {places} is made of the texts under "Places".
LOCATES: Final = "{method} locates {share} of the {what} {places}."
FINDS_NONE: Final = "{method} finds no {what}."
EVIDENCE: Final = "evidence"
EVIDENCE_FOR: Final = "evidence for {label} (not the prediction, probability {p})"
MARKS: Final = "The opacity head, trained on radiologists' boxes, places {share} of the opacity {places}."
MARKS_NONE: Final = "The opacity head, trained on radiologists' boxes, marks no opacity."
LUNGS_HOLD: Final = "The lungs hold {share} of it on {area} of the image, {place} the largest part."
EMPTY: Final = "no evidence: the map is empty"
THIRDS: Final = "Places are thirds of the image, because the lungs could not be outlined: {reason}."
MEAN_OF_MEMBERS: Final = "The map is the mean of the members' maps, each weighted by its probability of the label."
OUTSIDE: Final = "Warning: most of the evidence lies outside the lungs. The network may have relied on something else."
MARKED_OUTSIDE: Final = "Warning: most of the marked opacity lies outside the lungs. The marks may be wrong."
DISAGREES: Final = "Warning: this network alone favours {label} ({p}), unlike the ensemble."

# How often such a map is right. {hits} and {constant} are counts out of 100.
POINTS: Final = (
    "In {hits} of 100 {images} of {source} that radiologists had marked, the strongest point of such a map of this "
    "network lay in a radiologist's box; a point that is always the same did in {constant}."
)
IMAGES: Final[Mapping[Literal["val", "test"], str]] = {"val": "validation radiographs", "test": "test radiographs"}

# Places.
SIDES: Final = {"right": "right", "left": "left"}
LEVELS: Final = {"upper": "upper", "middle": "middle", "lower": "lower"}
WITHIN: Final = "in {places}"
MEDIASTINUM: Final = "the mediastinum"
BESIDE: Final = "outside the lungs"
AND_BESIDE: Final = "{within}, and outside the lungs"
ZONE: Final = "the patient's {side} {levels} zone"
ZONES: Final = "the patient's {side} {levels} zones"
WHOLE_LUNG: Final = "the patient's {side} lung"
THIRD: Final = "the image's {levels} third on the patient's {side}"
THIRDS_OF_SIDE: Final = "the image's {levels} thirds on the patient's {side}"
COMMA, AND = ", ", " and "

# Pictures, and titles of results.
TITLE: Final = "{method}: evidence for {label}"
TAUGHT_TITLE: Final = "{method}: trained on radiologists' boxes"
HEADLINE: Final = "{label}, probability {p}"
MAP: Final = "Map: evidence for {label}{aside}, by {method} of {member}"
TAUGHT_MAP: Final = "Map: {method} of {member}, trained on radiologists' boxes"
MAPS: Final = "Maps: evidence for {label}{aside}, by every method of {member}"
ASIDE: Final = ", which is not the prediction"
ALL_MEMBERS: Final = "all members, weighted by probability"
WARNING_OF: Final = ("Warning", "Warning ({method})")
RESULT: Final = "{method} of {member} for {label}"
TAUGHT_RESULT: Final = "{method} of {member}, trained on radiologists' boxes"
