"""Detect which kind of collection a folder holds, and read it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from cxr.errors import DataError
from cxr.labels import Label
from training.data import is_prepared
from training.prepare import cohen, covidx, folders, listed
from training.prepare.records import Collection
from training.prepare.tables import columns

CollectionKind = Literal["covidx", "cohen", "folders", "csv"]

_MEANING: Final[dict[CollectionKind, str]] = {
    "covidx": "lists named train*.txt, test*.txt with lines `patientid filename class [source]`",
    "cohen": "covid-chestxray-dataset's metadata.csv with the columns patientid, finding, view, filename",
    "folders": "folders named after at least two of the findings: normal, pneumonia, covid19",
    "csv": "one CSV with the columns file, label and patient beside DICOM, PNG or JPEG files",
}


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """How to read a folder.

    tables:  the lists or the CSV; by default they are searched in the folder itself
    source, licence: of the collection, if it does not state them
    patient: pattern of the patient in a file's path (folders only)
    words:   the user's own words for the labels, normalised by `label_words.plain`
    """

    kind: CollectionKind | None = None
    tables: tuple[Path, ...] = ()
    source: str = "unknown"
    licence: str = "see source"
    patient: re.Pattern[str] | None = None
    columns: listed.Columns = field(default_factory=listed.Columns)
    words: dict[str, Label] = field(default_factory=dict)


def read_collection(folder: Path, reading: ReadingOptions) -> tuple[CollectionKind, Collection]:
    """Read a folder with the reader of its kind.

    Raises:
        DataError: the folder does not exist, its kind is unclear, or its tables cannot be read.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder")
    if reading.kind is None and not reading.tables and is_prepared(folder):
        raise DataError(f"{folder} is prepared already: give it to --data. To prepare it again: --from csv")
    kind = reading.kind or detect(folder, reading)
    readers: dict[CollectionKind, Callable[[], Collection]] = {
        "covidx": lambda: covidx.read_covidx(
            folder, reading.tables or covidx.lists(folder), reading.source, reading.words
        ),
        "cohen": lambda: cohen.read_cohen(folder, _one(folder, reading, "metadata.csv")),
        "folders": lambda: folders.read_folders(folder, reading.source, reading.patient, reading.words),
        "csv": lambda: listed.read_listed(
            folder, _one(folder, reading, "*.csv"), reading.columns, reading.source, reading.words
        ),
    }
    collection = readers[kind]()
    images = [replace(one, licence=one.licence or reading.licence) for one in collection.images]
    return kind, Collection(images, collection.left_out)


def detect(folder: Path, reading: ReadingOptions) -> CollectionKind:
    """The kind of collection that a folder holds.

    Raises:
        DataError: it matches none of the kinds, or several.
    """
    tables = reading.tables or tuple(sorted(folder.glob("*.csv")))
    is_cohen = any(columns(table) >= cohen.COLUMNS for table in tables)
    signs: dict[CollectionKind, bool] = {
        "covidx": bool(covidx.lists(folder)) or any(table.suffix == ".txt" for table in reading.tables),
        "cohen": is_cohen,
        "folders": not reading.tables and len(folders.class_folders(folder, reading.words)) >= 2,
        "csv": not is_cohen
        and (any(table.suffix == ".csv" for table in reading.tables) or any(map(listed.has_usual_columns, tables))),
    }
    seen = [kind for kind, seems in signs.items() if seems]
    if len(seen) == 1:
        return seen[0]
    if seen:
        raise DataError(f"{folder} may be of kind {' or '.join(seen)}: say which with --from")
    described = "; ".join(f"{kind}: {meaning}" for kind, meaning in _MEANING.items())
    raise DataError(f"{folder} is not of a known kind ({described})")


def _one(folder: Path, reading: ReadingOptions, pattern: str) -> Path:
    found = reading.tables or tuple(sorted(folder.glob(pattern)))
    if len(found) != 1:
        raise DataError(f"{folder} has {len(found) or 'no'} files {pattern}: name one with --table")
    return found[0]
