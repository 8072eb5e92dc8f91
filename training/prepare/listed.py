"""A folder of DICOM, PNG or JPEG files with the user's own CSV of file, finding and patient."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cxr.errors import DataError
from cxr.labels import Label
from training.prepare.label_words import label_of, plain
from training.prepare.records import MALFORMED, MISSING, OTHER_FINDING, Collection, CollectionImage, LeftOut
from training.prepare.tables import columns, first_column, frontal_view, not_frontal, read_rows, unlisted

# The usual names of each column, used unless the user names it.
_USUAL: Final = {
    "file": ("file", "filename", "path", "image", "dicom"),
    "label": ("label", "finding", "class", "diagnosis"),
    "patient": ("patient", "patientid", "patient_id"),
}


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of the columns, in lower case; "" means any of the usual names."""

    file: str = ""
    label: str = ""
    patient: str = ""

    def found_in(self, table: Path, patients: bool = True) -> "Columns":
        """The same with every name filled in. Without `patients` that column may be missing; its name is then "".

        Raises:
            DataError: a column is missing.
        """
        present = columns(table)
        found = {}
        for what, usual in _USUAL.items():
            wanted = getattr(self, what).casefold()
            found[what] = first_column(present, (wanted,) if wanted else usual)
            if not found[what] and (patients or what != "patient" or wanted):
                raise DataError(f"{table} has no column {wanted or ' or '.join(usual)}: name it with --{what}-column")
        return Columns(**found)


def has_usual_columns(table: Path) -> bool:
    """Whether a table has all needed columns under usual names."""
    present = columns(table)
    return all(first_column(present, usual) for usual in _USUAL.values())


def read_listed(
    folder: Path, table: Path, named: Columns, source: str, own: Mapping[str, Label], patients: bool = True
) -> Collection:
    """The table's rows. The columns view, source, licence and split are optional.

    Raises:
        DataError: the table cannot be read, or a column is missing; the patients' column only if they are needed.
    """
    found = named.found_in(table, patients)
    collection, listed = Collection(), [table]
    for where, row in read_rows(table):
        path = folder / row.get(found.file, "")
        listed.append(path)
        collection.add(_entry(path, where, row, found, source, own))
    collection.left_out += unlisted(folder, listed)
    return collection


def _entry(
    path: Path, where: str, row: dict[str, str], found: Columns, source: str, own: Mapping[str, Label]
) -> CollectionImage | LeftOut:
    file, finding, patient = (row.get(name, "") for name in (found.file, found.label, found.patient))
    if not file or (found.patient and not patient):
        return LeftOut(where, MALFORMED)
    stated = row.get("view", "")
    view = "unknown" if plain(stated) in ("", "unknown") else frontal_view(stated)
    if view is None:
        return LeftOut(where, not_frontal(stated), path, finding)
    label = label_of(finding, own)
    if label is None:
        return LeftOut(where, OTHER_FINDING, path, finding)
    if not path.is_file():
        return LeftOut(where, MISSING)
    licence = row.get("licence") or row.get("license") or ""
    tested = plain(row.get("split", "")) == "test"
    return CollectionImage(path, where, label, row.get("source") or source, patient, view, licence, tested)
