"""Two controls for docs/travel.md that classify without seeing the lungs.

    python -m scripts.travel.controls RUNS

A logistic regression on each image's histogram of 64 grey levels, and a ResNet-18 that sees 32 x 32 pixels: the runs
`small-all-s0`, `small-without-siim-s0`, `small-without-cohen-s0` in RUNS, made by `cxr train RUNS/small-all-s0 --preset
plain --set size=32 --set epochs=24 --set cycles=2` and, for the others, `--set leave_out=SOURCE`.

"Inside" is the validation split after training with all sources. A left-out source is measured on its training and
validation images, after training without it. Intervals come from a bootstrap by patient. No test image is read.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import typer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cxr.arrays import Floats
from cxr.model.posterior import softmax
from evaluation import metrics
from evaluation.bootstrap import Resampling
from study.within import within_sources
from training.data import DEFAULT_DATA, Dataset, Row, labels_of, load
from training.rundir import RunDir
from training.sources import of_source

LEVELS: Final = 64
LEFT_OUT: Final = ("siim", "cohen")


def main(runs: Path, data: Path = DEFAULT_DATA) -> None:
    """Print a Markdown table with a row for each control."""
    learnt, val = (load(data, split, "clahe-1", 224) for split in ("train", "val"))
    judged = {source: of_source(source, learnt, val) for source in LEFT_OUT}
    histogram = {"": learn(learnt, val)} | {
        source: learn(learnt.leaving_out(source), images) for source, images in judged.items()
    }
    small = {"": softmax(_last(runs / "small-all-s0", "val"))} | {
        source: softmax(_last(runs / f"small-without-{source}-s0", "left_out"))
        for source in LEFT_OUT
        if (runs / f"small-without-{source}-s0").exists()
    }
    rows = {"": val.rows} | {source: images.rows for source, images in judged.items()}
    typer.echo("| control | macro-F1 inside | `siim` inside | `siim` left out | `cohen` left out |")
    typer.echo("| --- | --- | --- | --- | --- |")
    typer.echo(f"| histogram of {LEVELS} grey levels, logistic regression | {_cells(histogram, rows)} |")
    typer.echo(f"| 32 pixels, ResNet-18 | {_cells(small, rows)} |")


def learn(learnt: Dataset, judged: Dataset) -> Floats:
    """[N, 3] posteriors of a logistic regression on histograms, with equal class weights."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, class_weight="balanced"))
    model.fit(histograms(learnt), learnt.labels)
    return np.asarray(model.predict_proba(histograms(judged)))


def histograms(images: Dataset) -> Floats:
    """[N, LEVELS] the share of each grey level."""
    step = 256 // LEVELS
    counts = [np.bincount((np.asarray(image) // step).ravel(), minlength=LEVELS) for image in images.images]
    shares: Floats = np.array(counts, dtype=np.float64) / images.images[0].size
    return shares


def _last(run: Path, of: str) -> Floats:
    folder = RunDir(run)
    return np.asarray(folder.logits(folder.complete_cycles(), of), dtype=np.float64)  # type: ignore[arg-type]


def _cells(posteriors: Mapping[str, Floats], rows: Mapping[str, Sequence[Row]]) -> str:
    inside, labels = posteriors[""], labels_of(rows[""])
    resampling = {source: Resampling([row.patient for row in its]) for source, its in rows.items()}
    f1 = resampling[""].measure(lambda weights: {"f1": metrics.macro_f1(inside, labels, weights)})["f1"]
    cells = [f1, within_sources(inside, rows[""], resampling[""])["siim"]]
    for source in LEFT_OUT:
        if source in posteriors:
            cells.append(within_sources(posteriors[source], rows[source], resampling[source])[source])
    return " | ".join(map(str, cells))


if __name__ == "__main__":
    typer.run(main)
