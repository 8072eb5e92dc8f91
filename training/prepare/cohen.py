"""covid-chestxray-dataset (Cohen et al. 2020, arXiv 2006.11988): metadata.csv beside folders of images."""

from pathlib import Path
from typing import Final

from cxr.labels import Label
from training.prepare.label_words import label_of, plain
from training.prepare.records import (
    MISSING,
    NOT_A_RADIOGRAPH,
    OTHER_CAUSE,
    OTHER_FINDING,
    Collection,
    CollectionImage,
    LeftOut,
)
from training.prepare.tables import frontal_view, not_frontal, read_rows, unlisted

COLUMNS: Final = frozenset({"patientid", "finding", "view", "filename"})

_INFECTIONS: Final = {"viral", "bacterial", "fungal"}
# The collection's findings before it arranged them as a tree.
_OLD_NAMES: Final = {
    "sars", "mers", "influenza", "varicella", "streptococcus", "klebsiella", "legionella", "chlamydophila",
    "mycoplasma", "ecoli", "nocardia", "pneumocystis",
}  # fmt: skip


def read_cohen(folder: Path, table: Path) -> Collection:
    """Frontal radiographs of the three findings; the others with the reason to leave them out.

    "Pneumonia" without a cause, from lipids or by aspiration is left out: in a collection of COVID-19, a pneumonia
    without a stated cause may be COVID-19.
    """
    collection, listed = Collection(), []
    for where, row in read_rows(table):
        path = folder / (row.get("folder") or "images") / row.get("filename", "")
        listed.append(path)
        collection.add(_entry(path, where, row))
    collection.left_out += unlisted(folder / "images", listed)
    return collection


def _entry(path: Path, where: str, row: dict[str, str]) -> CollectionImage | LeftOut:
    finding, stated = row.get("finding", ""), row.get("view", "")
    if plain(row.get("modality", "X-ray")) != "xray":
        return LeftOut(where, NOT_A_RADIOGRAPH, path, finding)
    view = frontal_view(stated)
    if view is None:
        return LeftOut(where, not_frontal(stated), path, finding)
    label = label_in_tree(finding)
    if label is None:
        reason = OTHER_CAUSE if plain(finding).startswith("pneumonia") else OTHER_FINDING
        return LeftOut(where, reason, path, finding)
    if not path.is_file():
        return LeftOut(where, MISSING)
    return CollectionImage(path, where, label, "cohen", row.get("patientid", ""), view, row.get("license", ""))


def label_in_tree(finding: str) -> Label | None:
    """Pneumonia/Viral/COVID-19 → covid19, Pneumonia/Bacterial → pneumonia, Tuberculosis → None."""
    branches = [plain(branch) for branch in finding.split("/")]
    if label_of(branches[-1]) in ("covid19", "normal"):
        return label_of(branches[-1])
    if (branches[0] == "pneumonia" and _INFECTIONS & set(branches)) or branches[-1] in _OLD_NAMES:
        return "pneumonia"
    return None
