"""Pairs across train and another split, in either order; nothing else."""

from pathlib import Path

import pytest

from cxr.errors import DataError
from evaluation.near_duplicates import near_duplicates_in_train
from training.data import Row, Split

SPLITS: dict[str, Split] = {"a": "train", "b": "train", "c": "val", "d": "val", "e": "test", "f": "test"}
ROWS = [Row(file, "normal", "here", file, split) for file, split in SPLITS.items()]


def test_one_of_a_pair_is_held_out_and_the_other_is_learnt(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("file,other_file,correlation\na,b,1\na,c,1\ne,b,1\nd,f,1\nx,a,1\nc,x,1\n")
    assert near_duplicates_in_train(pairs, ROWS) == {"c", "e"}


@pytest.mark.parametrize("content", [None, "one,two\na,b\n"])
def test_another_file_is_a_named_error(tmp_path: Path, content: str | None) -> None:
    pairs = tmp_path / "pairs.csv"
    if content:
        pairs.write_text(content)
    with pytest.raises(DataError, match="not a list of near-duplicates"):
        near_duplicates_in_train(pairs, ROWS)
