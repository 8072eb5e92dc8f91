"""Store the predictions of runs with left-out sources in a few small files, which can be committed.

runs.json    the hash of the table, and for each run its hyperparameters and its progress
NAME.npz     float16 logits of a run's snapshots, [C, N, 3]: `val`, and `left_out`, the training and validation images
             of the source that the run was trained without, in the table's order, training split first

The test split is neither copied nor read.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Final

import numpy as np

from cxr.arrays import Floats32
from cxr.errors import DataError
from study.study import archived_cycles
from training.config import TrainConfig
from training.rundir import LEFT_OUT, RunDir

INDEX: Final = "runs.json"
_NAME: Final = re.compile(r"(?P<recipe>.+)-(all|without-[a-z]+)-s\d+")


@dataclass(frozen=True, slots=True)
class Archive:
    """A run: its name, its hyperparameters, its last epoch, and logits of its snapshots.

    `val` is [C, N, 3]; `left_out` is [C, M, 3], or None if no source was left out. C is 0 if there is no snapshot.
    `diverged` is the first epoch with a training loss that was not finite, if there is one.
    """

    name: str
    config: TrainConfig
    epochs: int
    diverged: int | None
    val: Floats32
    left_out: Floats32 | None

    @property
    def complete(self) -> bool:
        """Whether there is a snapshot of every cycle."""
        return len(self.val) == self.config.cycles

    @property
    def recipe(self) -> str:
        """The part of the name that all runs of one recipe share."""
        return recipe_of(self.name) or self.name


def recipe_of(name: str) -> str | None:
    """`lungs` of `lungs-without-siim-s0`; None for a run of another kind."""
    found = _NAME.fullmatch(name)
    return found["recipe"] if found else None


def pack(runs: Iterable[RunDir], target: Path, last: int = 0) -> None:
    """Write runs into a folder, in this order.

    Args:
        runs: all of one table.
        target: a folder, made if it is not there.
        last: the number of last snapshots of each run to store; 0 stores all.

    Raises:
        DataError: there are no runs, or they are of several tables.
    """
    described: dict[str, dict[str, Any]] = {}
    tables = set()
    target.mkdir(parents=True, exist_ok=True)
    for run in runs:
        log = run.read_log()
        diverged = next((int(epoch["epoch"]) for epoch in log if not isfinite(epoch["train_loss"])), None)
        described[run.path.name] = {"train": run.config.to_json(), "epochs": len(log), "diverged": diverged}
        tables.add(run.table_sha256)
        logits = _logits(run, last)
        if logits:
            np.savez_compressed(target / f"{run.path.name}.npz", **logits)
    if len(tables) != 1:
        raise DataError("runs of several tables cannot be packed together" if tables else "there are no runs to pack")
    text = json.dumps({"table_sha256": tables.pop(), "runs": described}, indent=1)
    (target / INDEX).write_text(text + "\n")


def _logits(run: RunDir, last: int) -> dict[str, Any]:
    cycles = archived_cycles(run)[-last:]
    splits: tuple[Any, ...] = ("val", LEFT_OUT) if run.config.leave_out else ("val",)
    if not cycles:
        return {}
    return {split: np.stack([run.logits(cycle, split) for cycle in cycles]).astype(np.float16) for split in splits}


def unpack(folder: Path, table_sha256: str) -> list[Archive]:
    """The runs of a folder that `pack` wrote, in its order.

    Raises:
        DataError: `pack` did not write the folder, or it is of another table.
    """
    try:
        index = json.loads((folder / INDEX).read_text())
        if index["table_sha256"] != table_sha256:
            raise DataError(
                f"{folder} holds runs of another metadata.csv: name the folder that they were trained on with --data"
            )
        return list(_archives(folder, index["runs"]))
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(
            f"{folder} holds no packed runs: make them with `python -m scripts.travel.table pack`"
        ) from None


def _archives(folder: Path, runs: dict[str, dict[str, Any]]) -> Iterator[Archive]:
    for name, about in runs.items():
        config, path = TrainConfig.from_json(about["train"]), folder / f"{name}.npz"
        said: dict[str, Floats32] = {}
        if path.exists():
            with np.load(path) as stored:
                said = {split: stored[split].astype(np.float32) for split in stored.files}
        val = said.get("val", np.zeros((0, 0, 3), np.float32))
        yield Archive(name, config, about["epochs"], about["diverged"], val, said.get(LEFT_OUT))
