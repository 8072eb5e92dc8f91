"""The folder of a training run: its files, and its progress.

config.json             the run's hyperparameters and the hash of its table
log.csv                 one line per epoch
cycle-07.safetensors    the snapshot at the end of each cycle: a full checkpoint, because momentum is reset
cycle-07.npz            the archive: float16 logits on the splits held out from training, and on the training and
                        validation images of a source that was left out; WeightWatcher's three figures

To resume a run on another machine, copy config.json, log.csv, the archives and the newest snapshot.
learning-curve.png
"""

import csv
import json
from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any, Final, Literal
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from cxr.errors import DataError
from training.config import TrainConfig
from training.data import Split
from training.spectra import singular_values
from training.weightwatcher import SpectralFigures, spectral_figures

Keep = Literal["all", "last"]
Judged = Split | Literal["left_out"]
"""Images that an archive has logits for. `left_out`: `training.sources.of_source` of the training and validation split.
Unlike the test split, these may be used for selection."""

LEFT_OUT: Final = "left_out"
SPECTRAL: Final = "spectral"


class RunDir:
    """Files of one run. A cycle is complete once its snapshot has its final name."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, config: TrainConfig, table_sha256: str) -> int:
        """Create or reopen the folder, and return the number of complete cycles.

        Raises:
            DataError: the folder belongs to a run with other hyperparameters or another table.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        file = self.path / "config.json"
        if not file.exists():
            _write(file, json.dumps({"train": config.to_json(), "table_sha256": table_sha256}, indent=2) + "\n")
        elif not _describes(file, config, table_sha256):
            raise DataError(f"{self.path} holds a run with other hyperparameters: choose another folder")
        done = self.complete_cycles()
        self._forget_epochs_after(done)
        return done

    @property
    def config(self) -> TrainConfig:
        """The hyperparameters that this run was started with."""
        return TrainConfig.from_json(self._header["train"])

    @property
    def table_sha256(self) -> str:
        """The hash of the table that this run is trained on."""
        return str(self._header["table_sha256"])

    @property
    def _header(self) -> dict[str, Any]:
        header: dict[str, Any] = json.loads((self.path / "config.json").read_text())
        return header

    def complete_cycles(self) -> int:
        """The newest cycle that has a snapshot and no missing archive before it."""
        archived = 0
        while self.archive(archived + 1).exists():
            archived += 1
        return next((cycle for cycle in range(archived, 0, -1) if self.snapshot(cycle).exists()), 0)

    def snapshot(self, cycle: int) -> Path:
        """Path of a cycle's weights; cycles count from 1."""
        return self.path / f"cycle-{cycle:02d}.safetensors"

    def archive(self, cycle: int) -> Path:
        """Path of a cycle's archive."""
        return self.path / f"cycle-{cycle:02d}.npz"

    def logits(self, cycle: int, split: Judged) -> NDArray[np.float32]:
        """[N, 3] logits of a cycle's snapshot on images that were not trained on, in the order of the table's rows.

        Raises:
            DataError: the run has no such cycle, or was trained without that split.
        """
        return self._archived(cycle, split)

    def spectral(self, cycle: int) -> SpectralFigures | None:
        """WeightWatcher's figures of a cycle's snapshot; None if its archive has none.

        Raises:
            DataError: the run has no such cycle.
        """
        try:
            with np.load(self.archive(cycle)) as archive:
                return SpectralFigures(*map(float, archive[SPECTRAL])) if SPECTRAL in archive else None
        except (OSError, ValueError, BadZipFile):
            raise DataError(f"{self.archive(cycle)} cannot be read") from None

    def save_cycle(
        self, cycle: int, network: nn.Module, logits: Mapping[Judged, NDArray[np.float32]], keep: Keep = "all"
    ) -> None:
        """Write a snapshot. The weights come last, by an atomic rename, which marks the cycle as complete.

        With `keep` = "last", weights of earlier cycles are deleted; their predictions stay in their archives.
        """
        stored: dict[str, NDArray[np.floating]] = {name: said.astype(np.float16) for name, said in logits.items()}
        if figures := spectral_figures(singular_values(network)):
            stored[SPECTRAL] = np.array(astuple(figures))
        np.savez(self.archive(cycle), **stored)  # type: ignore[arg-type]
        partial = self.snapshot(cycle).with_suffix(".partial")
        save_file(
            {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()},
            partial,
        )
        partial.rename(self.snapshot(cycle))
        if keep == "last":
            for earlier in range(1, cycle):
                self.snapshot(earlier).unlink(missing_ok=True)

    def restore(self, cycle: int, network: nn.Module) -> None:
        """Load a cycle's snapshot into a network. Raises DataError if it is damaged or of another network."""
        try:
            network.load_state_dict(load_file(self.snapshot(cycle)))
        except (RuntimeError, SafetensorError):
            raise DataError(f"{self.snapshot(cycle)} does not fit the network") from None

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

    def _archived(self, cycle: int, name: str) -> NDArray[np.float32]:
        try:
            with np.load(self.archive(cycle)) as archive:
                return np.asarray(archive[name], dtype=np.float32)
        except (OSError, KeyError, ValueError, BadZipFile):
            raise DataError(f"{self.archive(cycle)} holds no {name}") from None

    def _forget_epochs_after(self, cycle: int) -> None:
        """Remove the log lines of an interrupted cycle, also an incomplete last line: the cycle will run again."""
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


def _describes(file: Path, config: TrainConfig, table_sha256: str) -> bool:
    """Whether a config.json is of this run. A hyperparameter that is newer than the file counts as its default."""
    try:
        header = json.loads(file.read_text())
        return (TrainConfig.from_json(header["train"]), header["table_sha256"]) == (config, table_sha256)
    except (ValueError, TypeError, KeyError):
        return False


def _write(file: Path, text: str) -> None:
    """Write a text atomically."""
    partial = file.with_suffix(".partial")
    partial.write_text(text, newline="")
    partial.replace(file)
