"""Gates that the service could have against images that are no frontal radiographs of a chest, and what they cost."""

from collections.abc import Sequence
from typing import Final

from evaluation.unfamiliar import KINDS, Familiarity
from reporting.document import Section, Table, Text

KIND_NAMES: Final = {
    "turned": "turned by 90°",
    "upside_down": "upside down",
    "negative": "a negative",
    "quarter": "a quarter, enlarged",
    "noise": "white noise",
}
SCORES: Final = {
    "probability": "largest probability",
    "energy": "energy",
    "neighbour": "tenth nearest neighbour",
}


def unfamiliar_section(found: Sequence[Familiarity]) -> Section:
    """What each gate lets in, and whom it keeps out."""
    strange = [one for one in found if one.of in KINDS]
    known = [one for one in found if one.of not in KINDS]
    header = (
        "images",
        "number",
        *(f"AUROC, {said}" for said in SCORES.values()),
        *(f"let in, {said}" for said in SCORES.values()),
    )
    rows = [
        (
            KIND_NAMES[one.of],
            f"{one.images:,}",
            *(str(one.figures[f"{score}/{name}"]) for name in ("auroc", "let_in") for score in SCORES),
        )
        for one in strange
    ]
    kept_out = [
        (one.of, f"{one.images:,}", *(str(one.figures[f"{score}/kept_out"]) for score in SCORES)) for one in known
    ]
    return Section(
        "What is no upright chest radiograph?",
        (
            Text(
                "The service has no out-of-distribution gate. Three that it could have, each with its threshold where "
                "95 % of one half of the validation split pass; figures are of patients of the other half. AUROC is of "
                "telling the altered images from the same ones unaltered, 0.5 being a guess; let in is the share of "
                "altered images that pass, the false positive rate at 95 % true positives."
            ),
            Table(header, tuple(rows)),
            Text("Radiographs kept out by mistake, by source; 5 % were asked for."),
            Table(("source", "images", *SCORES.values()), tuple(kept_out)),
        ),
    )
