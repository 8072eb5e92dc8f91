"""Images that the training split knows already."""

from pathlib import Path

import numpy as np

from cxr.labels import Label
from scripts.without_twins import headline, twins_of_train
from training.data import Row

PAIRS = """file,other_file,correlation,split,other_split,label,other_label
a,b,0.97,train,test,covid19,covid19
c,d,0.96,val,train,normal,normal
e,f,0.95,val,test,normal,normal
"""


def test_a_twin_counts_whichever_of_the_pair_is_in_train(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.csv"
    pairs.write_text(PAIRS)
    assert twins_of_train(pairs) == {"b", "c"}


def test_the_headline_is_of_the_rows_given() -> None:
    labels: tuple[Label, ...] = ("normal", "pneumonia", "covid19", "covid19")
    rows = [Row(f"{i}", label, "s", f"{i}", "test") for i, label in enumerate(labels)]
    macro_f1, ppv, recall = headline(rows, np.array([0, 1, 2, 0], dtype=np.int64))
    assert macro_f1.startswith("0.778 ")  # (2/3 + 1 + 2/3) / 3
    assert ppv.startswith("1.000 ")
    assert recall.startswith("0.500 ")
