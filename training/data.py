"""Load metadata.csv and its images as labelled uint8 arrays, pre-processed once and cached."""

import csv
import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from cxr.decode import decode
from cxr.errors import DataError, Refusal
from cxr.labels import LABELS, Label
from cxr.model.frames import FULL, Grey, Mask
from cxr.model.preprocess import preprocess

Split = Literal["train", "val", "test"]
Half = Literal["select", "calibrate"]

DEFAULT_DATA: Final = Path(__file__).parents[2] / "shared" / "data" / "cxr"
DEFAULT_CACHE: Final = Path(__file__).parents[1] / ".cache"


@dataclass(frozen=True, slots=True)
class Row:
    """One image of the table. `patient` groups all images of a patient and all near-duplicates."""

    file: str
    label: Label
    source: str
    patient: str
    split: Split


@dataclass(frozen=True, slots=True)
class Dataset:
    """Rows of the table and their images: [N, S, S] uint8, in the rows' order."""

    rows: tuple[Row, ...]
    images: NDArray[np.uint8]

    @property
    def labels(self) -> NDArray[np.int64]:
        """[N] indices into `LABELS`."""
        return labels_of(self.rows)

    def where(self, keep: Iterable[bool]) -> "Dataset":
        """The rows for which `keep` is true."""
        mask = np.fromiter(keep, dtype=bool, count=len(self.rows))
        rows = tuple(row for row, kept in zip(self.rows, mask, strict=True) if kept)
        return Dataset(rows, self.images[mask])

    def leaving_out(self, source: str) -> "Dataset":
        """The data without the patients of a source; unchanged if `source` is "".

        Raises:
            DataError: no image is of that source, or all are.
        """
        if not source:
            return self
        kept = outside(self.rows, source)
        if not any(kept) or all(kept):
            raise DataError("leaving out that source leaves no images, or all of them")
        return self.where(kept)


def labels_of(rows: Sequence[Row]) -> NDArray[np.int64]:
    """[N] indices into `LABELS`."""
    return np.array([LABELS.index(row.label) for row in rows], dtype=np.int64)


def outside(rows: Sequence[Row], source: str) -> list[bool]:
    """[N] which rows are of patients without any image of that source."""
    its = {row.patient for row in rows if row.source == source}
    return [row.patient not in its for row in rows]


_NEEDED: Final = ("file", "label", "patient", "split")
_NOT_PREPARED: Final = "; name a prepared folder with --data, or prepare one: cxr prepare {} -o DIR"


def is_prepared(folder: Path) -> bool:
    """Whether a folder's metadata.csv has the columns that training needs."""
    try:
        with (folder / "metadata.csv").open(newline="", encoding="utf-8-sig") as handle:
            return set(_NEEDED) <= set(next(csv.reader(handle), []))
    except (OSError, UnicodeDecodeError, csv.Error):
        return False


def read_table(folder: Path) -> tuple[Row, ...]:
    """Parse metadata.csv: the columns file, label, patient and split, and optionally source.

    Raises:
        DataError: the file or a column is missing, a value is unknown, or a patient is in two splits.
    """
    path = folder / "metadata.csv"
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            rows = tuple(_row(path, number, record) for number, record in enumerate(csv.DictReader(handle), 2))
    except (OSError, UnicodeDecodeError):
        raise DataError(f"{path} cannot be read{_NOT_PREPARED.format(folder)}") from None
    splits: dict[str, Split] = {}
    for row in rows:
        if splits.setdefault(row.patient, row.split) != row.split:
            raise DataError(f"{path}: patient {row.patient} is in two splits")
    return rows


def _row(path: Path, number: int, record: dict[str, str]) -> Row:
    missing = set(_NEEDED) - record.keys()
    if missing:
        hint = _NOT_PREPARED.format(path.parent)
        raise DataError(f"{path}: column {', '.join(sorted(missing))} is missing{hint}")
    if record["label"] not in LABELS or record["split"] not in get_args(Split):
        raise DataError(f"{path}, line {number}: unknown label or split")
    if not record["file"] or not record["patient"]:
        raise DataError(f"{path}, line {number}: file or patient is empty")
    label: Label = record["label"]
    return Row(
        record["file"], label, record.get("source") or "unknown", record["patient"], cast(Split, record["split"])
    )


def table_sha256(folder: Path) -> str:
    """The hash that a bundle stores of the table it was trained on."""
    return hashlib.sha256((folder / "metadata.csv").read_bytes()).hexdigest()


def half_of_validation(row: Row) -> Half:
    """The half of the validation split that a patient is in, decided by a hash of the patient's name.

    One half selects recipes, snapshots and ensembles. The other is used for calibration only.
    """
    return "select" if hashlib.sha256(row.patient.encode()).digest()[0] % 2 else "calibrate"


def hashed_order(rows: Sequence[Row]) -> list[int]:
    """Indices of rows ordered by the hashes of their names: an arbitrary but fixed order, to take the first few."""
    return sorted(range(len(rows)), key=lambda index: hashlib.sha256(rows[index].file.encode()).digest())


Masks = Mapping[str, Mask]
"""File names → lungs [S, S], all false without plausible lungs (`training.lungs.mask_file`)."""


def load(
    folder: Path,
    split: Split,
    recipe: str,
    size: int,
    cache: Path | None = None,
    frame: str = FULL,
    masks: Masks | None = None,
) -> Dataset:
    """Load the images of one split, from the cache if the same files were prepared before.

    Args:
        folder: holds metadata.csv; file names in it are relative to it.
        split: train, val or test.
        recipe: pre-processing, a key of `cxr.model.preprocess.RECIPES`.
        size: side of the network's square in pixels.
        cache: folder for prepared arrays, named by a hash of their inputs; by default `DEFAULT_CACHE`.
        frame: the part of an image that the network sees, a key of `cxr.model.frames.FRAMES`.
        masks: the lungs of each image, for a frame that needs them.

    Raises:
        DataError: the split is empty, masks are missing, or files are missing or cannot be decoded. The message names
            all such files.
    """
    rows = tuple(row for row in read_table(folder) if row.split == split)
    if not rows:
        raise DataError(f"{folder / 'metadata.csv'} has no images of the split {split}")
    lungs = [None] * len(rows) if frame == FULL else _lungs(rows, masks or {})
    paths = [folder / row.file for row in rows]
    cache = cache or DEFAULT_CACHE
    target = cache / f"{split}-{frame}-{recipe}-{size}-{_fingerprint(paths, lungs)}.npy"
    if not target.exists():
        cache.mkdir(parents=True, exist_ok=True)
        prepared = _prepare_all(paths, lungs, lambda pixels, mask: preprocess(pixels, recipe, size, frame, mask), split)
        partial = target.with_suffix(
            f".{os.getpid()}.npy"
        )  # the name contains the process id: torchrun starts several processes at once
        np.save(partial, prepared)
        partial.replace(target)
    return Dataset(rows, np.load(target, mmap_mode="r"))


def held_out(
    folder: Path,
    recipe: str,
    size: int,
    cache: Path | None = None,
    frame: str = FULL,
    masks: Masks | None = None,
) -> dict[Split, Dataset]:
    """The validation split and, if the table has one, the test split. Arguments and errors are those of `load`."""
    present = {row.split for row in read_table(folder)}
    splits: tuple[Split, ...] = ("val", "test") if "test" in present else ("val",)
    return {split: load(folder, split, recipe, size, cache, frame, masks) for split in splits}


def _lungs(rows: Sequence[Row], masks: Masks) -> list[Mask | None]:
    missing = [row.file for row in rows if row.file not in masks]
    if missing:
        raise DataError(
            f"{len(missing)} images have no entry among the lung masks, the first is {missing[0]}: "
            "make a file of them with `python -m training.lungs.mask_file`"
        )
    return [masks[row.file] for row in rows]


def _fingerprint(paths: Sequence[Path], lungs: Sequence[Mask | None]) -> str:
    """A hash of the files' names, sizes and times, and of the masks. Reading all files would be as slow as no cache."""
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise DataError("these images are missing: " + ", ".join(missing))
    stats = [(path.name, (status := path.stat()).st_size, status.st_mtime_ns) for path in paths]
    digest = hashlib.sha256(repr(stats).encode())
    for mask in lungs:
        digest.update(b"" if mask is None else np.packbits(mask).tobytes())
    return digest.hexdigest()[:16]


def _prepare_all(
    paths: Sequence[Path],
    lungs: Sequence[Mask | None],
    preparation: Callable[[Grey, Mask | None], Grey],
    split: Split,
) -> NDArray[np.uint8]:
    def prepare(path: Path, mask: Mask | None) -> Grey | None:
        try:
            return preparation(decode(path.read_bytes()).pixels, mask)
        except Refusal:
            return None

    with ThreadPoolExecutor() as pool:
        prepared = list(track(pool.map(prepare, paths, lungs), f"preparing {split}", total=len(paths)))
    bad = [str(path) for path, image in zip(paths, prepared, strict=True) if image is None]
    if bad:
        raise DataError("these images cannot be decoded: " + ", ".join(bad))
    return np.stack([image for image in prepared if image is not None])
