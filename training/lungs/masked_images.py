"""Images with lung masks, for training and measuring the lung segmenter.

The masks of the data set follow two conventions: people at V7 and GeneralBlockchain drew the whole lung, including the
part behind the heart; JSRT's readers and the software that made `lung_masks/` left the heart out.
"""

import csv
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cxr.decode import decode
from cxr.errors import DataError
from cxr.model.frames import Grey, Mask
from cxr.model.preprocess import preprocess

MACHINE: Final = "machine"
READERS: Final = "JSRT readers"
WITHOUT_HEART: Final = (MACHINE, READERS)

EXTRA_SPLITS: Final = ("val", "test", "train", "train", "train")  # of JSRT's patients, by a hash


@dataclass(frozen=True, slots=True)
class Outline:
    """One image and the mask that `maker` drew on it."""

    file: str
    mask: str
    maker: str
    patient: str
    split: str


@dataclass(frozen=True, slots=True)
class MaskedImages:
    """Outlines, their prepared images [N, S, S] uint8, and masks [N, S, S] bool."""

    outlines: tuple[Outline, ...]
    images: Grey
    masks: Mask

    @property
    def whole(self) -> NDArray[np.bool_]:
        """[N] whether a mask includes the lung behind the heart."""
        return np.array([outline.maker not in WITHOUT_HEART for outline in self.outlines], bool)


def load_masked(folder: Path, splits: Sequence[str], recipe: str, size: int) -> MaskedImages:
    """All outlines of some splits, images prepared by a recipe at `size` pixels. An image may have several outlines.

    Raises:
        DataError: the tables have no masks for these splits, or an image or mask cannot be read.
    """
    outlines = tuple(outline for outline in _outlines(folder) if outline.split in splits)
    if not outlines:
        raise DataError(f"{folder / 'metadata.csv'} has no lung masks in {', '.join(splits)}")
    files = {outline.file for outline in outlines}
    prepared = {file: preprocess(decode((folder / file).read_bytes()).pixels, recipe, size) for file in files}
    masks = [_mask(folder / outline.mask, size) for outline in outlines]
    return MaskedImages(outlines, np.stack([prepared[outline.file] for outline in outlines]), np.stack(masks))


def extra_images(folder: Path) -> dict[str, str]:
    """Patient → file of the images of extras.csv, which are in no split and have no class of ours; may be empty."""
    return {record["patient"]: record["file"] for record in _records(folder / "extras.csv")}


def _outlines(folder: Path) -> Iterator[Outline]:
    """Outlines made by software first, then those by people: the last one of an image is the best."""
    table = {record["file"]: record for record in _records(folder / "metadata.csv")}
    for file, record in table.items():
        if record.get("lung_mask"):
            yield Outline(file, record["lung_mask"], MACHINE, record["patient"], record["split"])
    for drawn in _records(folder / "masks_people.csv"):
        if drawn["kind"] == "lung":
            record = table[drawn["file"]]
            yield Outline(drawn["file"], drawn["mask"], drawn["by"], record["patient"], record["split"])
    for record in _records(folder / "extras.csv"):
        if record.get("lung_mask"):
            split = EXTRA_SPLITS[hashlib.sha256(record["patient"].encode()).digest()[0] % len(EXTRA_SPLITS)]
            yield Outline(record["file"], record["lung_mask"], READERS, record["patient"], split)


def _records(path: Path) -> list[dict[str, str]]:
    """Rows of a table; none if the file does not exist."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8-sig") as handle:
        return list(csv.DictReader(handle))


def _mask(path: Path, size: int) -> Mask:
    stored = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if stored is None:
        raise DataError(f"{path} cannot be read")
    return np.asarray(cv2.resize(stored, (size, size), interpolation=cv2.INTER_AREA) > 127)
