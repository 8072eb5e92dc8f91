"""Counts of a table, and files that are in two splits."""

from pathlib import Path

from evaluation.table_facts import table_facts

TABLE = """file,label,source,patient,split
a.png,normal,here,1,train
b.png,normal,here,1,train
c.png,covid19,there,2,val
d.png,covid19,here,3,test
e.png,pneumonia,here,4,test
"""


def test_counts_and_near_duplicates(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text(TABLE)
    for name, data in {"a": b"1", "b": b"1", "c": b"2", "d": b"3", "e": b"2"}.items():
        (tmp_path / f"{name}.png").write_bytes(data)
    facts = table_facts(tmp_path, {"d.png", "e.png", "other.png"})
    assert facts.images == {"test": {"covid19": 1, "pneumonia": 1}, "train": {"normal": 2}, "val": {"covid19": 1}}
    assert facts.patients == {"test": 2, "train": 1, "val": 1}
    assert facts.sources == {"here": {"normal": 2, "covid19": 1, "pneumonia": 1}, "there": {"covid19": 1}}
    assert facts.near_duplicates == {"test": 2}
    assert facts.in_two_splits == ["c.png", "e.png"]  # a and b are alike, but in one split
