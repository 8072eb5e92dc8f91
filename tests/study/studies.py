"""Small studies: a table without images, and runs whose predictions are made from a few random numbers."""

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from cxr.labels import LABELS
from study.study import Study, load_study
from training.config import TrainConfig
from training.data import Split, read_table, table_sha256
from training.rundir import RunDir

SIZES: Mapping[Split, int] = {"train": 12, "val": 160, "test": 60}
CONFIG = TrainConfig(size=32, epochs=12, cycles=6, batch_size=4, sampling="natural")

RUNS: Mapping[str, TrainConfig] = {
    "resnet18": CONFIG,
    "resnet18-s1": replace(CONFIG, seed=1),
    "resnet18-s2": replace(CONFIG, seed=2),
    "densenet161": replace(CONFIG, architecture="densenet161", sampling="undersampled"),
    "vgg19": replace(CONFIG, architecture="vgg19"),
    "vgg19-paper": replace(CONFIG, architecture="vgg19", recipe="paper-1"),
}


def write_table(folder: Path) -> Path:
    """Write metadata.csv of images that do not exist, with two images per patient."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "metadata.csv").open("w", newline="") as handle:
        table = csv.writer(handle)
        table.writerow(["file", "label", "source", "patient", "split"])
        for split, size in SIZES.items():
            for i in range(size):
                label = "normal" if split == "train" and i < 4 else LABELS[i % 3]
                source = "here" if i // 2 % 4 else "there"
                table.writerow([f"{split}-{i}.png", label, source, f"{split}-{i // 2}", split])
    return folder


def write_run(path: Path, config: TrainConfig, data: Path, seed: int, poison: bool = False) -> RunDir:
    """Write all archives of a run, better with each cycle, and weights of its last two cycles.

    `poisoned`: its test logits are unusable.
    """
    run = RunDir(path)
    run.begin(config, table_sha256(data))
    rows = read_table(data)
    draw = np.random.default_rng(seed)
    for cycle in range(1, config.cycles + 1):
        said = {}
        for split in ("val", "test"):
            labels = np.array([LABELS.index(row.label) for row in rows if row.split == split])
            skill = (0.6 + 0.25 * cycle) * np.eye(3)[labels]
            said[split] = (2 * (skill + draw.normal(0, 1.4, skill.shape))).astype(np.float32)
        if poison:
            said["test"] = np.full((1, 7), np.nan, dtype=np.float32)
        spectral = 1.1 + draw.pareto(2 + 0.2 * cycle, 3)  # low is good, and later cycles have lower values
        np.savez(run.archive(cycle), spectral=spectral, **said)
        for epoch in range(config.epochs_per_cycle):
            run.log({"cycle": cycle, "epoch": epoch + 1, "images_per_second": 4.0})
    for cycle in (config.cycles - 1, config.cycles):
        run.snapshot(cycle).write_bytes(b"")
    return run


def make_study(root: Path, runs: Mapping[str, TrainConfig] = RUNS, poison: bool = False) -> Study:
    """A study with runs as above, in the folders data/ and runs/ of `root`."""
    data = write_table(root / "data")
    for seed, (name, config) in enumerate(runs.items()):
        write_run(root / "runs" / name, config, data, seed, poison)
    return load_study([root / "runs"], data)
