"""Held-out images with a near-duplicate in training: a model can get them right by memory alone.

`scripts.near_duplicates` lists the pairs of a table; docs/near-duplicates.csv has those of this project's data.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cxr.errors import DataError
from training.data import Row

PAIRS: Final = Path(__file__).parents[1] / "docs" / "near-duplicates.csv"


def near_duplicates_in_train(pairs: Path, rows: Sequence[Row]) -> frozenset[str]:
    """Files of other splits that have a near-duplicate in train, according to a list of pairs.

    Raises:
        DataError: the list cannot be read or lacks the columns `file` and `other_file`.
    """
    split = {row.file: row.split for row in rows}
    try:
        with pairs.open(newline="", encoding="utf-8") as handle:
            both = [(pair["file"], pair["other_file"]) for pair in csv.DictReader(handle)]
    except (OSError, KeyError, UnicodeDecodeError):
        raise DataError(f"{pairs} is not a list of near-duplicates") from None
    ordered = [*both, *((other, file) for file, other in both)]
    return frozenset(file for file, other in ordered if split.get(other) == "train" != split.get(file, "train"))
