"""The committed predictions of runs: only logits that may be used for selection."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cxr.errors import DataError
from study.travel_archive import pack, recipe_of, unpack
from training.config import TrainConfig
from training.rundir import RunDir

CONFIG = TrainConfig(size=32, epochs=4, cycles=2, batch_size=4)
TABLE = "a" * 64


def write(path: Path, config: TrainConfig, cycles: int, losses: tuple[float, ...] = (1.0, 0.5)) -> RunDir:
    """A run whose test logits cannot be read."""
    run = RunDir(path)
    run.begin(config, TABLE)
    for epoch, loss in enumerate(losses, 1):
        run.log({"cycle": 1, "epoch": epoch, "train_loss": loss})
    for cycle in range(1, cycles + 1):
        said = {"val": np.full((5, 3), cycle, np.float32), "test": np.array("poison")}
        if config.leave_out:
            said["left_out"] = np.full((4, 3), -cycle, np.float16)
        np.savez(run.archive(cycle), spectral=np.ones(3), **said)  # type: ignore[arg-type]
    return run


def test_what_is_packed_comes_back_in_its_order(tmp_path: Path) -> None:
    runs = [
        write(tmp_path / "runs" / "lungs-without-siim-s1", replace(CONFIG, seed=1, leave_out="siim"), 2),
        write(tmp_path / "runs" / "baseline-all-s0", CONFIG, 1),
        write(tmp_path / "runs" / "evidence-all-s0", CONFIG, 0, (1.0, float("nan"), float("nan"))),
    ]
    pack(runs, tmp_path / "packed")
    whole, cut, lost = unpack(tmp_path / "packed", TABLE)
    assert (whole.name, whole.recipe, whole.config) == ("lungs-without-siim-s1", "lungs", runs[0].config)
    assert whole.val.tolist() == [[[1] * 3] * 5, [[2] * 3] * 5]
    assert whole.left_out is not None
    assert whole.left_out.tolist() == [[[-1] * 3] * 4, [[-2] * 3] * 4]
    assert (whole.complete, whole.epochs, whole.diverged) == (True, 2, None)
    assert (cut.complete, len(cut.val), cut.left_out) == (False, 1, None)
    assert (lost.complete, len(lost.val), lost.epochs, lost.diverged) == (False, 0, 3, 2)


def test_nothing_of_the_test_split_and_no_spectrum_is_packed(tmp_path: Path) -> None:
    run = write(tmp_path / "baseline-without-siim-s0", replace(CONFIG, leave_out="siim"), 2)
    pack([run], tmp_path / "packed")
    with np.load(tmp_path / "packed" / "baseline-without-siim-s0.npz") as stored:
        assert {name: stored[name].dtype.name for name in stored.files} == {"val": "float16", "left_out": "float16"}
    assert {path.name for path in (tmp_path / "packed").iterdir()} == {"runs.json", "baseline-without-siim-s0.npz"}


def test_another_table_and_another_folder_are_refused(tmp_path: Path) -> None:
    pack([write(tmp_path / "baseline-all-s0", CONFIG, 2)], tmp_path / "packed")
    with pytest.raises(DataError, match=r"another metadata\.csv"):
        unpack(tmp_path / "packed", "b" * 64)
    index = json.loads((tmp_path / "packed" / "runs.json").read_text())
    index["runs"]["baseline-all-s0"]["train"]["novel"] = 1
    (tmp_path / "packed" / "runs.json").write_text(json.dumps(index))
    for folder in (tmp_path / "packed", tmp_path):
        with pytest.raises(DataError, match="holds no packed runs"):
            unpack(folder, TABLE)
    with pytest.raises(DataError, match="no runs"):
        pack([], tmp_path / "packed")


@pytest.mark.parametrize(
    ("name", "recipe"),
    [("full-pairs-boxes-without-siim-s0", "full-pairs-boxes"), ("lungs-all-s2", "lungs"), ("resnet18-balanced", None)],
)
def test_the_recipe_is_in_the_name(name: str, recipe: str | None) -> None:
    assert recipe_of(name) == recipe
