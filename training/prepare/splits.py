"""Assign groups of images to train, val and test by a hash."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cxr.errors import DataError
from cxr.labels import LABELS, Label
from training.data import Split


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of the images that the validation and the test split get; training gets the rest."""

    val: float = 0.1
    test: float = 0.2

    def __post_init__(self) -> None:
        if not (0 < self.val < 1 and 0 < self.test < 1 and self.val + self.test < 1):
            raise DataError("the shares of val and test must be above 0, and their sum below 1")


@dataclass(frozen=True, slots=True)
class Group:
    """Images that must stay together: their number, label, and the key that decides the split (the patient's name).

    `published_test`: at least one of them is in the publisher's test split.
    """

    key: str
    label: Label
    size: int
    published_test: bool = False


def deal(groups: Sequence[Group], shares: Shares, seed: int) -> list[Split]:
    """The split of each group.

    Within a label, groups are ordered by a hash of seed and key, and this row is cut by the shares of images. So all
    splits have the same mixture of labels, the order of files does not matter, and few groups move when others are
    added. If a label has three groups or more, val and test get at least one each. If the publisher has a test split,
    its groups are the test split and the others are divided into train and val.
    """
    published = any(group.published_test for group in groups)
    splits: dict[int, Split] = {}
    for label in LABELS:
        members = [index for index, group in enumerate(groups) if group.label == label]
        splits.update((index, "test") for index in members if groups[index].published_test)
        rest = [index for index in members if not groups[index].published_test]
        rest.sort(key=lambda index: _order(groups[index].key, seed))
        sizes = [groups[index].size for index in rest]
        cut = _cut(sizes, shares.val / (1 - shares.test), 0.0) if published else _cut(sizes, shares.val, shares.test)
        splits.update(zip(rest, cut, strict=True))
    return [splits[index] for index in range(len(groups))]


def _order(key: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed} {key}".encode()).digest()


def _cut(sizes: Sequence[int], val: float, test: float) -> list[Split]:
    """Cut a row of groups into test, val and train, in that order. The middle of a group decides its split."""
    total, passed = sum(sizes), 0.0
    splits: list[Split] = []
    for size in sizes:
        middle, passed = (passed + size / 2) / total, passed + size
        splits.append("test" if middle < test else "val" if middle < test + val else "train")
    _give_each_one(splits, sizes, ["val", "test"] if test else ["val"])
    return splits


def _give_each_one(splits: list[Split], sizes: Sequence[int], wanted: Sequence[Split]) -> None:
    """Move the smallest training group to each split that has none, as long as training keeps one."""
    for split in wanted:
        training = [index for index, where in enumerate(splits) if where == "train"]
        if split not in splits and len(training) > 1:
            splits[min(training, key=lambda index: sizes[index])] = split
