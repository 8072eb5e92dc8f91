"""Functions that the readers of tables share: rows by column, frontal views, unlisted files."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from cxr.errors import DataError
from training.prepare.label_words import plain
from training.prepare.records import LATERAL, NOT_FRONTAL, UNLISTED, LeftOut

_FRONTAL: Final = {"pa": "PA", "ap": "AP", "apsupine": "AP Supine", "aperect": "AP Erect", "apsemierect": "AP Erect"}
_LATERAL: Final = {"l", "ll", "rl", "lat", "lateral"}
_PICTURES: Final = {".png", ".jpg", ".jpeg", ".dcm", ".dicom", ""}


def read_rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Each row of a CSV file: its position ("line 2") and its stripped values by column name in lower case.

    Raises:
        DataError: the file cannot be read as UTF-8 text with commas.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.DictReader(handle)
            for row in reader:
                values = {(key or "").strip().casefold(): value for key, value in row.items() if isinstance(value, str)}
                yield f"line {reader.line_num}", {key: value.strip() for key, value in values.items()}
    except (OSError, UnicodeDecodeError, csv.Error):
        raise DataError(f"{path} cannot be read as CSV") from None


def columns(path: Path) -> frozenset[str]:
    """Names of a CSV file's columns in lower case; none if it cannot be read."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            return frozenset(name.strip().casefold() for name in next(csv.reader(handle), []))
    except (OSError, UnicodeDecodeError, csv.Error):
        return frozenset()


def first_column(present: frozenset[str], usual: Sequence[str]) -> str:
    """The first of the usual names that is present; "" if none is."""
    return next((name for name in usual if name in present), "")


def frontal_view(stated: str) -> str | None:
    """A frontal view in our spelling; None for any other view."""
    return _FRONTAL.get(plain(stated))


def not_frontal(stated: str) -> str:
    """The reason to leave out a view that is not frontal."""
    return LATERAL if plain(stated) in _LATERAL else NOT_FRONTAL


def visible_files(folder: Path) -> list[Path]:
    """All files of a folder and its subfolders, sorted, without hidden ones (.DS_Store)."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def unlisted(folder: Path, listed: Iterable[Path]) -> list[LeftOut]:
    """The folder's pictures that no table lists, so that none is dropped silently."""
    named = {path.resolve() for path in listed}
    pictures = [path for path in visible_files(folder) if path.suffix.casefold() in _PICTURES]
    strangers = [path for path in pictures if path.resolve() not in named]
    return [LeftOut(f"unlisted file {number}", UNLISTED, path) for number, path in enumerate(strangers, 1)]
