"""COVIDx (COVID-Net): text lists of `patientid filename class [source]` beside folders of images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from cxr.errors import DataError
from cxr.labels import Label
from training.prepare.label_words import label_of, plain
from training.prepare.records import (
    AMBIGUOUS,
    MALFORMED,
    MISSING,
    OTHER_FINDING,
    UNSPECIFIC_NEGATIVE,
    Collection,
    CollectionImage,
    LeftOut,
)
from training.prepare.tables import unlisted, visible_files

_PARTS: Final = ("train", "test", "val")


def lists(folder: Path) -> list[Path]:
    """The folder's text files that are such lists, recognised by their first line."""
    return [path for path in sorted(folder.glob("*.txt")) if part_of(path) and _is_list(path)]


def part_of(path: Path) -> str:
    """The part of the collection that a list is for, from its file name: train, test or val; "" if unknown."""
    return next((part for part in _PARTS if path.stem.casefold().startswith(part)), "")


def _is_list(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8") as handle:
            fields = handle.readline().split()
    except (OSError, UnicodeDecodeError):
        return False
    return len(fields) in (3, 4) and (label_of(fields[2]) is not None or plain(fields[2]) in ("positive", "negative"))


def read_covidx(folder: Path, chosen: Sequence[Path], source: str, own: Mapping[str, Label]) -> Collection:
    """The images of the lists, searched by name in the folder, preferably in a subfolder named like the list (train/).

    Args:
        chosen: lists, one for each part.
        source: name of the collection for lines without one.

    Raises:
        DataError: two lists name the same part, a list's name begins with none of the parts, or one is not text.
    """
    parts = [part_of(path) for path in chosen]
    if "" in parts or len(set(parts)) < len(parts):
        raise DataError(
            "COVIDx comes in many versions: name one list a part with --table; their names begin with "
            + ", ".join(_PARTS)
        )
    by_name: dict[str, list[Path]] = {}
    for path in visible_files(folder):
        by_name.setdefault(path.name, []).append(path)
    collection = Collection()
    for part, path in zip(parts, chosen, strict=True):
        for number, line in enumerate(_lines(path), 1):
            if fields := line.split():
                collection.add(_entry(fields, f"{part} list, line {number}", part, by_name, source, own))
    collection.left_out += unlisted(folder, [*collection.paths(), *chosen])
    return collection


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise DataError(f"{path} cannot be read") from None


def _entry(
    fields: list[str], where: str, part: str, by_name: Mapping[str, list[Path]], source: str, own: Mapping[str, Label]
) -> CollectionImage | LeftOut:
    if len(fields) not in (3, 4):
        return LeftOut(where, MALFORMED)
    patient, name, finding, *stated = fields
    found = by_name.get(name, [])
    if len(found) > 1:
        found = [path for path in found if part in (parent.casefold() for parent in path.parent.parts)]
    path = found[0] if len(found) == 1 else None
    label: Label | None = "covid19" if plain(finding) == "positive" else label_of(finding, own)
    if label is None:
        negative = plain(finding) == "negative"
        return LeftOut(where, UNSPECIFIC_NEGATIVE if negative else OTHER_FINDING, path, finding)
    if path is None:
        return LeftOut(where, AMBIGUOUS if by_name.get(name) else MISSING)
    return CollectionImage(path, where, label, (stated or [source])[0], patient, published_test=part == "test")
