"""Turn a collection into a prepared folder: metadata.csv, images/, duplicates.csv, left-out.csv; atomically."""

import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import Progress

from cxr.errors import DataError
from training.data import Split
from training.prepare import write
from training.prepare.groups import connected, label_of_group, patient_links, pseudonym
from training.prepare.near_duplicates import Pair, find_pairs
from training.prepare.pictures import StoredImage, store
from training.prepare.records import Collection, CollectionImage, LeftOut
from training.prepare.splits import Group, Shares, deal

IDENTICAL: Final = "the same picture is stored already"
TWO_LABELS: Final = "the same picture is listed under two findings"
LEAK: Final = "its patient or a near-duplicate is in the published test split"


@dataclass(frozen=True, slots=True)
class PreparedFolder:
    """What was written, for the summary that the user sees.

    images:   rows of metadata.csv
    pairs:    near-duplicates, by their indices in `images`
    patients: whether the collection names patients at all
    """

    images: list[write.Image]
    pairs: list[Pair]
    left_out: list[LeftOut]
    patients: bool


@dataclass(slots=True)
class _Copies:
    """Identical files of one picture: the one that is kept, and the patients of all."""

    kept: StoredImage
    patients: set[str] = field(default_factory=set)


def prepare(
    collection: Collection, output: Path, shares: Shares, seed: int, mapping: Path | None = None
) -> PreparedFolder:
    """Store the pictures, find near-duplicates, group, split, and write the tables.

    Everything is made in a temporary folder beside `output`, which is renamed at the end. The same collection gives the
    same bytes in any order of its files.

    Args:
        output: must not exist.
        mapping: CSV to write which file became which image. It names patients, so it must not be inside `output`.

    Raises:
        DataError: output exists, no image can be used, or there are too few patients for three splits.
    """
    if output.exists():
        raise DataError(f"{output} exists already: choose another folder, or remove it")
    if mapping is not None and output.resolve() in mapping.resolve().parents:
        raise DataError("the mapping names patients: keep it outside the prepared folder")
    output.parent.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
    try:
        made = workshop / output.name
        (made / "images").mkdir(parents=True)
        prepared = _assemble(collection, made, shares, seed)
        write.tables(made, prepared.images, prepared.pairs, prepared.left_out)
        made.rename(output)
    finally:
        shutil.rmtree(workshop)
    if mapping is not None:
        write.mapping(mapping, prepared.images, prepared.left_out)
    return prepared


def without_published_test(collection: Collection) -> Collection:
    """The same collection without the publisher's test split."""
    images = [replace(one, published_test=False) for one in collection.images]
    return Collection(images, collection.left_out)


def _assemble(collection: Collection, made: Path, shares: Shares, seed: int) -> PreparedFolder:
    with Progress(console=Console(stderr=True), transient=True) as bars:
        pictures, left_out = _store_all(collection.images, made, bars)
        copies, identical = _without_identical(pictures)
        if not copies:
            raise DataError(_nothing(collection.left_out + left_out + identical))
        bar = bars.add_task("looking for near-duplicates", total=1.0)
        frames = [one.kept.frame for one in copies]
        pairs = find_pairs(frames, lambda share: bars.update(bar, completed=share))
    images, leaks = _in_splits(copies, pairs, shares, seed)
    for lost in {picture.file for picture in pictures} - {image.picture.file for image in images}:
        (made / lost).unlink()
    return PreparedFolder(
        images,
        _renumbered(pairs, copies, images),
        [*collection.left_out, *left_out, *identical, *leaks],
        patients=any(one.patients for one in copies),
    )


def _store_all(
    images: Sequence[CollectionImage], made: Path, bars: Progress
) -> tuple[list[StoredImage], list[LeftOut]]:
    """Each image stored, or left out with the reason why its file cannot be read."""
    with ThreadPoolExecutor() as pool:
        outcomes = pool.map(lambda original: store(original, made), images)
        stored = list(bars.track(outcomes, total=len(images), description="reading images"))
    return [one for one in stored if isinstance(one, StoredImage)], [one for one in stored if isinstance(one, LeftOut)]


def _nothing(left_out: Sequence[LeftOut]) -> str:
    reasons = sorted({one.reason for one in left_out}) or ["the collection is empty"]
    return "no image can be used: " + "; ".join(reasons)


def _without_identical(pictures: Sequence[StoredImage]) -> tuple[list[_Copies], list[LeftOut]]:
    """Keep one of all files that give the same bytes, the first by name; none if their findings differ."""
    by_name: dict[str, list[StoredImage]] = {}
    for picture in pictures:
        by_name.setdefault(picture.name, []).append(picture)
    kept, left_out = [], []
    for _, same in sorted(by_name.items()):
        if len({picture.original.label for picture in same}) > 1:
            left_out += [_left_out(picture, TWO_LABELS) for picture in same]
            continue
        # The publisher's test images come first. The files' bytes are equal, so their paths decide the rest.
        first, *others = sorted(same, key=lambda one: (not one.original.published_test, str(one.original.path)))
        left_out += [_left_out(picture, IDENTICAL) for picture in others]
        kept.append(_Copies(first, {_patient(one.original) for one in same if one.original.patient}))
    return kept, left_out


def _patient(original: CollectionImage) -> str:
    """A patient's name within the source: two hospitals may both have a patient 1."""
    return f"{original.source}\0{original.patient}"


def _left_out(picture: StoredImage, reason: str) -> LeftOut:
    return LeftOut(picture.original.where, reason, picture.original.path)


def _in_splits(
    copies: Sequence[_Copies], pairs: Sequence[Pair], shares: Shares, seed: int
) -> tuple[list[write.Image], list[LeftOut]]:
    """Group patients with near-duplicates, split the groups, and leave out leaks into a published test split."""
    links = [*patient_links([frozenset(one.patients) for one in copies]), *((p.first, p.second) for p in pairs)]
    components = connected(len(copies), links)
    groups = [_group([copies[index] for index in members]) for members in components]
    splits = deal(groups, shares, seed)
    empty = {"train", "val", "test"} - set(splits)
    if empty:
        raise DataError(
            f"{len(groups)} groups of patients are too few: no group is left for the split {', '.join(sorted(empty))}"
        )
    images, leaks = [], []
    for members, group, split in zip(components, groups, splits, strict=True):
        name = pseudonym(copies[index].kept.name for index in members)
        for picture in (copies[index].kept for index in members):
            if group.published_test and not picture.original.published_test:
                leaks.append(_left_out(picture, LEAK))
            else:
                images.append(write.Image(picture, name, split))
    return sorted(images, key=lambda image: image.picture.name), leaks


def _group(members: Sequence[_Copies]) -> Group:
    known = sorted(patient for one in members for patient in one.patients)
    return Group(
        key=known[0] if known else min(one.kept.name for one in members),
        label=label_of_group([one.kept.original.label for one in members]),
        size=len(members),
        published_test=any(one.kept.original.published_test for one in members),
    )


def _renumbered(pairs: Sequence[Pair], copies: Sequence[_Copies], images: Sequence[write.Image]) -> list[Pair]:
    """The pairs whose images are both kept, by their indices among the kept ones (both lists are in order of name)."""
    place = {image.picture.name: index for index, image in enumerate(images)}
    ends = [(pair, place.get(copies[pair.first].kept.name), place.get(copies[pair.second].kept.name)) for pair in pairs]
    return [replace(pair, first=a, second=b) for pair, a, b in ends if a is not None and b is not None]


def splits_of(images: Sequence[write.Image]) -> dict[Split, list[write.Image]]:
    """Images by split, in the order train, val, test."""
    order: tuple[Split, ...] = ("train", "val", "test")
    return {split: [image for image in images if image.split == split] for split in order}
