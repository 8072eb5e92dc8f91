"""Figures with and without images that have a near-duplicate in the training split."""

import numpy as np

from cxr.labels import Label
from scripts.without_near_duplicates import headline
from training.data import Row


def test_the_headline_is_of_the_rows_given() -> None:
    labels: tuple[Label, ...] = ("normal", "pneumonia", "covid19", "covid19")
    rows = [Row(f"{i}", label, "s", f"{i}", "test") for i, label in enumerate(labels)]
    macro_f1, ppv, recall = headline(rows, np.array([0, 1, 2, 0], dtype=np.int64))
    assert macro_f1.startswith("0.778 ")  # (2/3 + 1 + 2/3) / 3
    assert ppv.startswith("1.000 ")
    assert recall.startswith("0.500 ")
