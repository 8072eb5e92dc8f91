"""Sections about the model: its networks, their graphs, its limits and its terms."""

from typing import Final

from cxr.labels import DISPLAY_NAMES, LABELS
from cxr.model.bundle import Manifest
from evaluation.table_facts import TableFacts
from export.verify import Parity
from reporting.document import Items, Section, Table, Text

# Notes on a training table, by its hash: how labels and sources are related, and which terms apply.
TABLES: Final = {
    "3e8b3ee15986ec86f35ac2ec118617545d8ec5180716864ab0517cd54e7fce31": (
        (
            "**Class and source are confounded** in the training data: COVID-19 comes mostly from sources that contain "
            "nothing else. The classifier that sees no image and knows only the source shows how much this alone "
            "explains; within one hospital expect much less than the headline.",
            "Adults only: there is no image of a child in the training data.",
        ),
        "The weights were trained on public collections with terms of their own: RSNA Pneumonia Detection Challenge "
        "and NIH ChestX-ray8 (research use, with attribution), covid-chestxray-dataset (per image, often CC BY-NC-SA "
        "4.0), COVID-19 Radiography Database, COVID-CXNet (CC BY 4.0), a COVIDx mirror and the Hannover Medical "
        "School repository (CC BY 3.0). Use the weights for research, not commercially.",
    ),
    "81015ca9049032044dacf24e3ebafc88e60e88ff3fde4239103f68697ec262ec": (
        (
            "**Class and source are confounded**, less than in earlier data: one source has COVID-19 and normal "
            "radiographs of the same hospitals, others have COVID-19 only. Guessing from the source has an AUC for "
            "COVID-19 of 0.964 on the test split.",
            "The meaning of COVID-19 differs: in `siim` the appearance of the lungs as read by radiologists, elsewhere "
            "mostly a positive swab, even if the radiograph shows nothing.",
            "Adults only, as far as ages are known; a few children may be left in `siim`, which gives no ages.",
        ),
        "The weights were trained on public collections with terms of their own: SIIM-FISABIO-RSNA COVID-19 Detection "
        "(the challenge's rules), RSNA Pneumonia Detection Challenge and NIH ChestX-ray8 (research use, with "
        "attribution), covid-chestxray-dataset (per image, often CC BY-NC-SA 4.0), COVID-19 Radiography Database, "
        "COVID-CXNet (CC BY 4.0), a COVIDx mirror and the Hannover Medical School repository (CC BY 3.0); the lung "
        "segmenter also on masks of V7 and GeneralBlockchain (CC BY 4.0) and of JSRT (research). Use the weights for "
        "research, not commercially.",
    ),
}
UNKNOWN_TABLE: Final = (
    (
        "If labels come from different sources, a network may have learnt to tell the sources apart: compare with the "
        "classifier that knows only the source.",
    ),
    "The weights are under the terms of the images that they were trained on.",
)
LIMITS: Final = (
    "Frontal views, and the ages and machines of the training data. Other findings (effusion, pneumothorax, nodules) "
    "are not looked for and may be called any of the three labels.",
    "A map shows what raised one network's score, not where disease is.",
)
GATE: Final = (
    "The gate judges only the kind of image: an upright frontal chest or not. It does not detect other differences "
    "from the training data."
)
NO_GATE: Final = "Nothing rejects an image that is unlike the training data: there is no out-of-distribution gate."


def networks(manifest: Manifest) -> Section:
    """Input, output, members, and the images that selected and calibrated them."""
    about = (
        f"Input: a frontal chest radiograph, recipe `{manifest.recipe.id}`, {manifest.recipe.size} pixels square. "
        f"Output: {', '.join(DISPLAY_NAMES[label] for label in LABELS)}; ensemble rule `{manifest.ensemble}`, "
        f"temperature {manifest.temperature:.3f}; the maps of `/explain` are those of `{manifest.explainer}`."
    )
    rows = [
        (
            member.name,
            member.architecture,
            member.frame,
            str(member.cycle or "–"),
            ", ".join(f"{name} {value:.3f}" for name, value in member.validation.items()),
        )
        for member in manifest.members
    ]
    header = (
        "member",
        "architecture",
        "frame",
        "snapshot of cycle",
        "figures on the selection half of the validation split",
    )
    calibrated_on = manifest.calibrated_on or "the other half of the validation split"
    origin = (
        f"Trained from scratch, without ImageNet. Temperature and conformal thresholds were fitted on {calibrated_on}. "
        f"SHA-256 of the training table: `{manifest.training_manifest_sha256}`."
    )
    return Section("Networks", (Text(about), Table(header, tuple(rows)), Text(origin)))


def data(facts: TableFacts) -> Section:
    """Splits and sources of the table, and whether any image or patient is in two splits."""
    splits = [
        (split, *(f"{counts.get(label, 0):,}" for label in LABELS), f"{facts.patients[split]:,}")
        for split in ("train", "val", "test")
        if (counts := facts.images.get(split))
    ]
    sources = [
        (source, *(f"{counts[label]:,}" if label in counts else "" for label in LABELS))
        for source, counts in facts.sources.items()
    ]
    names = tuple(DISPLAY_NAMES[label] for label in LABELS)
    same_bytes = ", ".join(f"`{file}`" for file in facts.in_two_splits)
    checked = (
        "Splits are by patient: no patient, and no group of near-duplicates that the table names, is in two splits. "
        + (f"Files of the same bytes are in two splits: {same_bytes}." if same_bytes else "No file is in two splits.")
    )
    if facts.near_duplicates:
        held_out = " and ".join(f"{count:,} of {split}" for split, count in facts.near_duplicates.items())
        checked += (
            f" By their pixels, {held_out} still have a near-duplicate in train that the table does not list: see "
            "docs/near-duplicates.csv."
        )
    blocks = (
        Table(("split", *names, "patients or groups"), tuple(splits)),
        Text(f"{checked} SHA-256 of the table: `{facts.sha256}`."),
        Table(("source", *names), tuple(sources), "All splits together; an empty cell is a label that a source lacks."),
    )
    return Section("Data", blocks)


def parity(found: tuple[Parity, ...]) -> Section:
    """The differences between the served graphs and the networks in PyTorch."""
    header = (
        "member",
        "precision",
        "images",
        "max abs. Δ logit",
        "max abs. Δ probability",
        "max abs. Δ opacity logit",
        "labels that flip (margin)",
    )
    rows = [
        (
            one.member,
            one.precision,
            f"{one.images:,}",
            f"{one.max_logit:.1e}",
            f"{one.max_probability:.1e}",
            "–" if one.max_opacity is None else f"{one.max_opacity:.1e}",
            ", ".join(f"{flip.name} ({flip.margin:.1e})" for flip in one.flips) or "none",
        )
        for one in found
    ]
    return Section("ONNX against PyTorch float32, on a CPU", (Table(header, tuple(rows)),))


def limits(manifest: Manifest) -> tuple[Section, Section]:
    """Limits and licence terms."""
    confounding, terms = TABLES.get(manifest.training_manifest_sha256, UNKNOWN_TABLE)
    licences = Text(f"The code is under Apache-2.0. {terms}")
    return Section("Limits", (Items((*confounding, *LIMITS, GATE if manifest.gate else NO_GATE)),)), Section(
        "Licences", (licences,)
    )
