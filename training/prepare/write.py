"""Write the tables of a prepared folder. Of the collection's own words they contain only source and licence."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from training.data import Split
from training.prepare.near_duplicates import Pair
from training.prepare.pictures import StoredImage
from training.prepare.records import LeftOut

COLUMNS: Final = ("file", "label", "source", "patient", "view", "licence", "width", "height", "split")


@dataclass(frozen=True, slots=True)
class Image:
    """A row of metadata.csv. `patient` is the pseudonym of its group."""

    picture: StoredImage
    patient: str
    split: Split


def tables(folder: Path, images: Sequence[Image], pairs: Sequence[Pair], left_out: Sequence[LeftOut]) -> None:
    """Write metadata.csv, duplicates.csv (both images are kept, in one group) and left-out.csv."""
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle, lineterminator="\n").writerows([COLUMNS, *map(_row, images)])
    with (folder / "duplicates.csv").open("w", newline="", encoding="utf-8") as handle:
        header = ("file", "other_file", "correlation", "label", "other_label")
        csv.writer(handle, lineterminator="\n").writerows([header, *(_pair_row(pair, images) for pair in pairs)])
    with (folder / "left-out.csv").open("w", newline="", encoding="utf-8") as handle:
        rows = ((one.where, one.reason) for one in left_out)
        csv.writer(handle, lineterminator="\n").writerows([("where", "reason"), *rows])


def _row(image: Image) -> tuple[str | int, ...]:
    picture, given = image.picture, image.picture.original
    where = (picture.file, given.label, given.source, image.patient, picture.view, given.licence)
    return (*where, picture.width, picture.height, image.split)


def _pair_row(pair: Pair, images: Sequence[Image]) -> tuple[str, ...]:
    one, other = images[pair.first].picture, images[pair.second].picture
    return one.file, other.file, f"{pair.correlation:.3f}", one.original.label, other.original.label


def mapping(path: Path, images: Iterable[Image], left_out: Iterable[LeftOut]) -> None:
    """Write which file of the collection became which image, or why it did not. Only the file's owner may read it."""
    pictures = (image.picture for image in images)
    kept = ((one.original.where, one.original.path, one.file, "") for one in pictures)
    lost = ((one.where, one.path or "", "", one.reason) for one in left_out)
    path.touch(mode=0o600)
    path.chmod(0o600)
    with path.open("w", newline="", encoding="utf-8") as handle:
        header = ("where", "original", "file", "reason")
        csv.writer(handle, lineterminator="\n").writerows([header, *kept, *lost])
