"""Measure how much of a snapshot's result comes from images with a near-duplicate in the training split.

    python -m scripts.without_near_duplicates docs/study/runs/resnet18-imbalanced 13 val

Macro-F1, COVID-19 PPV and recall of a run's snapshot on a split: on all images, on those without a near-duplicate in
train, and on those with one, each with its 95 % interval. The pairs are those of docs/near-duplicates.csv, found by
`scripts.near_duplicates`.
"""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from cxr.labels import LABELS
from evaluation import metrics
from evaluation.bootstrap import Resampling
from evaluation.near_duplicates import PAIRS, near_duplicates_in_train
from training.data import DEFAULT_DATA, Row, Split, read_table
from training.rundir import RunDir


def headline(rows: list[Row], predicted: NDArray[np.int64]) -> tuple[str, str, str]:
    """Macro-F1, COVID-19 PPV and recall of these rows, as text."""
    labels = np.array([LABELS.index(row.label) for row in rows], dtype=np.int64)
    scores = np.eye(len(LABELS))[predicted]
    measured = Resampling([row.patient for row in rows]).measure(partial(metrics.discrimination, scores, labels))
    return str(measured["macro_f1"]), str(measured["covid19_ppv"]), str(measured["covid19_recall"])


def main(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    cycle: Annotated[int, typer.Argument(help="The snapshot's cycle.")],
    split: Annotated[Literal["val", "test"], typer.Argument(help="Split to measure. Choose nothing by test.")] = "val",
    data: Annotated[Path, typer.Option(help="Folder with metadata.csv.")] = DEFAULT_DATA,
) -> None:
    """Print the headline figures with and without near-duplicates."""
    name: Split = split
    table_rows = read_table(data)
    rows = [row for row in table_rows if row.split == name]
    predicted = RunDir(run).logits(cycle, name).argmax(axis=1)
    has_near_duplicate = np.isin([row.file for row in rows], list(near_duplicates_in_train(PAIRS, table_rows)))
    table = Table("images", "n", "macro-F1", "COVID-19 PPV", "COVID-19 recall", title=f"{run.name}, {cycle}, {split}")
    for title, mask in (
        ("all", np.ones_like(has_near_duplicate)),
        ("without a near-duplicate in train", ~has_near_duplicate),
        ("with one", has_near_duplicate),
    ):
        kept = [row for row, wanted in zip(rows, mask, strict=True) if wanted]
        table.add_row(title, str(len(kept)), *headline(kept, predicted[mask]))
    Console(width=140).print(table)


if __name__ == "__main__":
    typer.run(main)
