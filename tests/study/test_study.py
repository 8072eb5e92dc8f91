"""A folder of runs: what is found, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from cxr.errors import DataError
from cxr.labels import LABELS
from study.study import Study, load_study
from study.tables import Snapshot
from tests.study.studies import CONFIG, RUNS, make_study, write_run, write_table
from training.data import half_of_validation


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Do not write into it."""
    return make_study(tmp_path_factory.mktemp("study"))


def test_a_folder_of_runs_and_runs_one_by_one_are_the_same_study(study: Study) -> None:
    folders = [run.path for run in study.runs.values()]
    again = load_study(folders, folders[0].parents[1] / "data")
    assert list(again.runs) == list(study.runs) == sorted(RUNS)
    assert len(study.snapshots) == len(RUNS) * CONFIG.cycles
    assert study.snapshots[0] == Snapshot("densenet161", 1)


def test_the_halves_are_those_of_the_protocol_in_the_tables_order(study: Study) -> None:
    select, calibrate = study.part("select"), study.part("calibrate")
    assert {half_of_validation(row) for row in select.rows} == {"select"}
    assert not set(select.patients) & set(calibrate.patients)
    assert len(select.rows) + len(calibrate.rows) == 160
    one = Snapshot("vgg19", 3)
    whole = study.runs["vgg19"].logits(3, "val")
    validation = [row for row in study.rows if row.split == "val"]
    for part in (select, calibrate):
        indices = [validation.index(row) for row in part.rows]
        assert np.array_equal(part.stack([one])[0], whole[indices])
    assert len(study.part("test").labels) == 60


def test_a_run_says_what_it_learnt_from(study: Study) -> None:
    natural, balanced = study.describe("vgg19"), study.describe("densenet161")
    counts = {label: sum(row.split == "train" and row.label == label for row in study.rows) for label in LABELS}
    assert natural.train_images == counts
    assert set(balanced.train_images.values()) == {min(counts.values())}
    assert natural.minutes == pytest.approx(12 * 12 / 4 / 60, abs=0.01)  # 12 epochs of 12 images at 4 a second
    assert (natural.cycles, balanced.sampling, balanced.seed) == (6, "undersampled", 0)


def test_missing_weights_are_detected(study: Study) -> None:
    assert [study.has_weights(Snapshot("vgg19", cycle)) for cycle in range(1, 7)] == [False] * 4 + [True] * 2


def test_a_snapshot_that_does_not_exist_is_named(study: Study) -> None:
    with pytest.raises(DataError, match="vgg19-c09"):
        study.part("select").stack([Snapshot("vgg19", 9)])


def test_what_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    study = make_study(tmp_path, {"one": CONFIG})
    data = tmp_path / "data"
    with pytest.raises(DataError, match="there are no runs"):
        load_study([data], data)
    write_run(tmp_path / "elsewhere" / "one", CONFIG, data, 1)
    with pytest.raises(DataError, match="two runs are called one"):
        load_study([tmp_path / "runs", tmp_path / "elsewhere"], data)
    np.savez(study.runs["one"].archive(2), val=np.zeros((7, 3)))
    with pytest.raises(DataError, match=r"cycle-02.npz does not fit the table's val split"):
        study.part("select")
    with (write_table(tmp_path / "other") / "metadata.csv").open("a") as table:
        table.write("x.png,normal,here,x,train\n")
    with pytest.raises(DataError, match="another table: one"):
        load_study([tmp_path / "runs"], tmp_path / "other")
