"""The folder of a training run: what it holds, and how far it has come.

config.json             the run's knobs and the hash of its table
log.csv                 one line an epoch
cycle-07.safetensors    the snapshot at the bottom of each cycle: a whole checkpoint, since momentum is reset
cycle-07.npz            its logits on the validation split
learning-curve.png
"""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import nn

from cxr.errors import DataError
from training.config import TrainConfig


class RunDir:
    """Files of one run. A cycle counts as complete once its snapshot has its final name."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, config: TrainConfig, table_sha256: str) -> int:
        """Make or re-open the folder and return the number of complete cycles.

        Raises:
            DataError: the folder belongs to a run with other knobs or another table.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        wanted = {"train": config.to_json(), "table_sha256": table_sha256}
        file = self.path / "config.json"
        if not file.exists():
            _write(file, json.dumps(wanted, indent=2) + "\n")
        elif _parsed(file) != wanted:
            raise DataError(f"{self.path} holds a run with other knobs: choose another folder")
        done = self.complete_cycles()
        self._forget_epochs_after(done)
        return done

    @property
    def config(self) -> TrainConfig:
        """The knobs that this run was started with."""
        return TrainConfig.from_json(self._header["train"])

    @property
    def table_sha256(self) -> str:
        """The hash of the table that this run learns from."""
        return str(self._header["table_sha256"])

    @property
    def _header(self) -> dict[str, Any]:
        header: dict[str, Any] = json.loads((self.path / "config.json").read_text())
        return header

    def complete_cycles(self) -> int:
        """Cycles with a snapshot, counted from the first without a gap."""
        cycle = 0
        while self.snapshot(cycle + 1).exists():
            cycle += 1
        return cycle

    def snapshot(self, cycle: int) -> Path:
        """Path of a cycle's weights; cycles count from 1."""
        return self.path / f"cycle-{cycle:02d}.safetensors"

    def validation_logits(self, cycle: int) -> NDArray[np.float32]:
        """[N, 3] logits of a cycle's snapshot on the validation split."""
        with np.load(self.path / f"cycle-{cycle:02d}.npz") as archive:
            return np.asarray(archive["val"])

    def save_cycle(self, cycle: int, network: nn.Module, validation_logits: NDArray[np.float32]) -> None:
        """Write a snapshot. The weights come last, by an atomic rename: they say that the cycle is complete."""
        np.savez(self.path / f"cycle-{cycle:02d}.npz", val=validation_logits)
        partial = self.snapshot(cycle).with_suffix(".partial")
        save_file(
            {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()},
            partial,
        )
        partial.rename(self.snapshot(cycle))

    def restore(self, cycle: int, network: nn.Module) -> None:
        """Load a cycle's snapshot into a network."""
        network.load_state_dict(load_file(self.snapshot(cycle)))

    def log(self, record: Mapping[str, float | int]) -> None:
        """Append one epoch to log.csv."""
        file = self.path / "log.csv"
        is_new = not file.exists()
        with file.open("a", newline="") as handle:
            writer = csv.DictWriter(handle, fieldnames=list(record))
            if is_new:
                writer.writeheader()
            writer.writerow(record)

    def read_log(self) -> list[dict[str, float]]:
        """All epochs so far."""
        file = self.path / "log.csv"
        if not file.exists():
            return []
        with file.open(newline="") as handle:
            return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(handle)]

    def _forget_epochs_after(self, cycle: int) -> None:
        """Drop what an interrupted cycle logged, down to half a line: it will be run again."""
        file = self.path / "log.csv"
        if not cycle or not file.exists():
            file.unlink(missing_ok=True)
            return
        with file.open(newline="") as handle:
            header, *lines = handle.readlines()
        rows = csv.DictReader([header, *lines])
        kept = [
            line for line, row in zip(lines, rows, strict=True) if line.endswith("\n") and int(row["cycle"]) <= cycle
        ]
        _write(file, "".join([header, *kept]))


def _parsed(file: Path) -> object:
    """What a JSON file says; None where it is malformed."""
    try:
        return json.loads(file.read_text())
    except ValueError:
        return None


def _write(file: Path, text: str) -> None:
    """The whole text or nothing of it."""
    partial = file.with_suffix(".partial")
    partial.write_text(text, newline="")
    partial.replace(file)
