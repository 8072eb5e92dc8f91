"""Facts about a data set for a report: images and patients by split, and files that are in two splits."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, Field

from training.data import Row, read_table, table_sha256


@dataclass(frozen=True, slots=True)
class TableFacts:
    """`images` counts by split and label, `patients` by split, `sources` by source and label.

    `in_two_splits` names files whose bytes are also in another split. A patient, or a group of near-duplicates, is
    always in one split: other tables are refused. `near_duplicates` counts, by split, images with a near-duplicate in
    train that is not in the same group of the table; files of version 1 call them `doubles`.
    """

    sha256: str
    images: dict[str, dict[str, int]]
    patients: dict[str, int]
    sources: dict[str, dict[str, int]]
    in_two_splits: list[str]
    near_duplicates: Annotated[dict[str, int], Field(validation_alias=AliasChoices("near_duplicates", "doubles"))] = (
        field(default_factory=dict)
    )


def table_facts(folder: Path, near_duplicates: Collection[str] = ()) -> TableFacts:
    """Count a table and compare its files. Raises what `read_table` raises, and OSError for a missing file."""
    rows = read_table(folder)
    images: dict[str, Counter[str]] = defaultdict(Counter)
    sources: dict[str, Counter[str]] = defaultdict(Counter)
    patients: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        images[row.split][row.label] += 1
        sources[row.source][row.label] += 1
        patients[row.split].add(row.patient)
    return TableFacts(
        sha256=table_sha256(folder),
        images={split: dict(counts) for split, counts in sorted(images.items())},
        patients={split: len(names) for split, names in sorted(patients.items())},
        sources={source: dict(counts) for source, counts in sorted(sources.items())},
        near_duplicates=dict(sorted(Counter(row.split for row in rows if row.file in near_duplicates).items())),
        in_two_splits=_in_two_splits(folder, rows),
    )


def _in_two_splits(folder: Path, rows: tuple[Row, ...]) -> list[str]:
    same: dict[bytes, list[Row]] = defaultdict(list)
    for row in rows:
        same[hashlib.sha256((folder / row.file).read_bytes()).digest()].append(row)
    return sorted(row.file for group in same.values() if len({row.split for row in group}) > 1 for row in group)
