"""A folder of runs: the predictions of every snapshot for images that no run was trained on.

Selection gets a single `Part` and cannot read any other, so it cannot use the test split.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from cxr.arrays import Ints, Logits, Mask
from cxr.errors import DataError
from cxr.labels import LABELS, Label
from study.tables import RunRow, Snapshot
from training.config import TrainConfig
from training.data import Row, half_of_validation, read_table, table_sha256
from training.rundir import RunDir

PartName = Literal["select", "calibrate", "test"]
"""The halves of the validation split (`training.data.half_of_validation`), and the test split."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some images, in the table's order, and the logits [N, 3] of every snapshot for them."""

    name: PartName
    rows: tuple[Row, ...]
    logits: Mapping[Snapshot, Logits]

    @property
    def labels(self) -> Ints:
        """[N] indices into `LABELS`."""
        return np.array([LABELS.index(row.label) for row in self.rows], dtype=np.int64)

    @property
    def patients(self) -> list[str]:
        """[N] the patient of each image."""
        return [row.patient for row in self.rows]

    def stack(self, members: Iterable[Snapshot]) -> Logits:
        """Logits [M, N, 3] of some snapshots. Raises DataError if the study lacks one."""
        try:
            return np.stack([self.logits[member] for member in members])
        except KeyError as error:
            raise DataError(f"these runs have no snapshot {error.args[0]}") from None


@dataclass(frozen=True)
class Study:
    """Runs by name, all of one table. Runs in `left_out` were trained without one source and are not eligible."""

    runs: Mapping[str, RunDir]
    left_out: Mapping[str, RunDir]
    rows: tuple[Row, ...]
    table_sha256: str

    @cached_property
    def configs(self) -> dict[str, TrainConfig]:
        """Each run's hyperparameters."""
        return {name: run.config for name, run in self.runs.items()}

    @cached_property
    def snapshots(self) -> tuple[Snapshot, ...]:
        """All snapshots, run by run, also those without weights."""
        return tuple(Snapshot(name, cycle) for name, run in self.runs.items() for cycle in archived_cycles(run))

    def part(self, name: PartName) -> Part:
        """Read the snapshots' predictions for a part.

        Raises:
            DataError: the table has no rows of this part, or an archive lacks or does not fit them.
        """
        mask = self._masks[name]
        if not mask.any():
            raise DataError(f"the table has no images to {'test' if name == 'test' else name} by")
        rows = tuple(row for row, here in zip(self.rows, mask, strict=True) if here)
        logits = {one: self.said(self.runs[one.run], one.cycle, name) for one in self.snapshots}
        return Part(name, rows, logits)

    def said(self, run: RunDir, cycle: int, name: PartName) -> Logits:
        """Logits [N, 3] of a run's snapshot on a part. Raises DataError if its archive lacks or does not fit them."""
        split: Literal["val", "test"] = "test" if name == "test" else "val"
        masks = self._masks
        of_split = masks["test"] if name == "test" else masks["select"] | masks["calibrate"]
        values = run.logits(cycle, split)
        if values.shape != (of_split.sum(), len(LABELS)):
            raise DataError(f"{run.archive(cycle)} does not fit the table's {split} split")
        return np.asarray(values[masks[name][of_split]])

    @cached_property
    def _masks(self) -> dict[PartName, Mask]:
        """[rows] the rows of each part."""
        parts = [half_of_validation(row) if row.split == "val" else row.split for row in self.rows]
        return {name: np.array([part == name for part in parts], dtype=bool) for name in get_args(PartName)}

    def has_weights(self, snapshot: Snapshot) -> bool:
        """Whether the snapshot's weights are present, so that a bundle can be made of it."""
        return self.runs[snapshot.run].snapshot(snapshot.cycle).exists()

    def describe(self, name: str) -> RunRow:
        """A run's training data and time."""
        config, counts = self.configs[name], self._train_images(self.configs[name])
        pool = sum(counts.values())
        visited = pool - pool % min(config.batch_size, pool)
        seconds = sum(visited / epoch["images_per_second"] for epoch in self.runs[name].read_log())
        return RunRow(
            run=name,
            architecture=config.architecture,
            recipe=config.recipe,
            size=config.size,
            sampling=config.sampling,
            seed=config.seed,
            epochs=config.epochs,
            cycles=sum(snapshot.run == name for snapshot in self.snapshots),
            max_lr=config.max_lr,
            train_images=counts,
            minutes=round(seconds / 60, 2),
        )

    def _train_images(self, config: TrainConfig) -> dict[Label, int]:
        counts = Counter(row.label for row in self.rows if row.split == "train")
        least = min(counts.values(), default=0)
        return {label: least if config.sampling == "undersampled" else counts[label] for label in LABELS}


def load_study(folders: Sequence[Path], data: Path) -> Study:
    """Find runs in folders, each a run or a folder of runs.

    Raises:
        DataError: there are no runs, two have the same name, or a run is of another table than that of `data`.
    """
    runs: dict[str, RunDir] = {}
    for folder in folders:
        for path in sorted(_runs_in(folder)):
            if path.name in runs:
                raise DataError(f"two runs are called {path.name}: a snapshot is named by its run's folder")
            runs[path.name] = RunDir(path)
    sha = table_sha256(data)
    strangers = [name for name, run in runs.items() if run.table_sha256 != sha]
    if strangers or not runs:
        raise DataError(f"trained on another table: {', '.join(strangers)}" if strangers else "there are no runs")
    left_out = {name: run for name, run in runs.items() if run.config.leave_out}
    whole = {name: run for name, run in runs.items() if name not in left_out}
    return Study(whole, left_out, read_table(data), sha)


def _runs_in(folder: Path) -> list[Path]:
    if (folder / "config.json").exists():
        return [folder]
    return [file.parent for file in folder.glob("*/config.json")]


def archived_cycles(run: RunDir) -> range:
    """The cycles that have an archive, from the first one on without a gap."""
    cycle = 0
    while run.archive(cycle + 1).exists():
        cycle += 1
    return range(1, cycle + 1)
