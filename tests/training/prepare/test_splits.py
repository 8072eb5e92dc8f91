"""Splits: shares held within labels, no group parted, stable, and the publisher's test split kept."""

from collections import Counter

import numpy as np
import pytest

from cxr.errors import DataError
from cxr.labels import LABELS
from training.data import Split
from training.prepare.splits import Group, Shares, deal

RNG = np.random.default_rng(0)
GROUPS = [
    Group(f"patient {index}", LABELS[int(RNG.choice(3, p=[0.6, 0.1, 0.3]))], int(RNG.choice([1, 1, 1, 2, 5])))
    for index in range(1500)
]


def images(groups: list[Group], splits: list[Split]) -> Counter[tuple[str, str]]:
    counts = Counter[tuple[str, str]]()
    for group, split in zip(groups, splits, strict=True):
        counts[group.label, split] += group.size
    return counts


@pytest.mark.parametrize("shares", [Shares(), Shares(0.15, 0.15), Shares(0.05, 0.5)])
def test_each_label_is_cut_by_the_shares_of_images(shares: Shares) -> None:
    counts = images(GROUPS, deal(GROUPS, shares, 0))
    for label in LABELS:
        total = sum(counts[label, split] for split in ("train", "val", "test"))
        assert abs(counts[label, "val"] - shares.val * total) <= 5
        assert abs(counts[label, "test"] - shares.test * total) <= 5


def test_the_order_of_groups_does_not_matter_and_the_seed_does() -> None:
    splits = dict(zip((group.key for group in GROUPS), deal(GROUPS, Shares(), 0), strict=True))
    backwards = dict(zip((group.key for group in GROUPS[::-1]), deal(GROUPS[::-1], Shares(), 0), strict=True))
    assert splits == backwards
    assert deal(GROUPS, Shares(), 1) != deal(GROUPS, Shares(), 0)


def test_few_groups_move_when_new_ones_come() -> None:
    before, after = deal(GROUPS[:1350], Shares(), 0), deal(GROUPS, Shares(), 0)
    assert sum(a != b for a, b in zip(before, after, strict=False)) < 0.05 * 1350


@pytest.mark.parametrize(("count", "expected"), [(3, {"train": 1, "val": 1, "test": 1}), (1, {"train": 1}), (2, None)])
def test_a_rare_label_is_in_every_split_if_it_can_be(count: int, expected: dict[str, int] | None) -> None:
    groups = [Group(f"p{index}", "covid19", 1) for index in range(count)]
    splits = Counter(deal(groups, Shares(), 0))
    assert splits["train"] >= 1
    if expected is not None:
        assert splits == expected


def test_one_group_that_is_nearly_everything_is_for_training() -> None:
    groups = [Group("giant", "normal", 100), *(Group(f"p{index}", "normal", 1) for index in range(4))]
    splits = deal(groups, Shares(), 0)
    assert splits[0] == "train"
    assert set(splits) == {"train", "val", "test"}


def test_the_publishers_test_split_is_the_test_split() -> None:
    groups = [Group(group.key, group.label, group.size, index % 9 == 0) for index, group in enumerate(GROUPS)]
    splits = deal(groups, Shares(0.1, 0.2), 0)
    assert [split == "test" for split in splits] == [group.published_test for group in groups]
    counts = images(groups, splits)
    for label in LABELS:
        rest = counts[label, "train"] + counts[label, "val"]
        assert abs(counts[label, "val"] - 0.125 * rest) <= 5  # val is 0.1 of all images, and test is 0.2


@pytest.mark.parametrize(
    ("val", "test"), [(0, 0.2), (0.2, 0), (0.5, 0.5), (1.2, 0.1), (-0.1, 0.2), (float("nan"), 0.1)]
)
def test_shares_that_leave_nothing_are_refused(val: float, test: float) -> None:
    with pytest.raises(DataError, match="shares"):
        Shares(val, test)
