"""The queue on the borrowed machine: data arrive, a run is taken once, returned results are not sent again."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from networks.architectures import build
from scripts.gpu import study
from scripts.gpu.plan import Planned, plan
from training.config import TrainConfig
from training.rundir import RunDir

SMALL = TrainConfig(epochs=2, cycles=2, size=32)


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A separate machine, as a folder."""
    monkeypatch.setattr(study, "ROOM", tmp_path)
    for name in ("DATA", "RUNS", "CLAIMS", "LOGS"):
        monkeypatch.setattr(study, name, tmp_path / name.lower())
        (tmp_path / name.lower()).mkdir()
    monkeypatch.setattr("training.rundir.singular_values", lambda _: {})  # the real ones take seconds
    runs = [Planned("first", SMALL, weights=True), Planned("second", SMALL)]
    monkeypatch.setattr(study, "plan", lambda: runs)
    order(tmp_path, 1000)
    (tmp_path / "started").write_text("2")
    return tmp_path


def order(room: Path, seconds: float) -> dict[str, object]:
    content = {"end": time.time() + seconds, "runs": ["first", "second"], "shrink": False}
    (room / "queue.json").write_text(json.dumps(content))
    return content


def test_names_are_unique_and_every_run_says_how_long_it_takes() -> None:
    runs = plan()
    assert len({run.name for run in runs}) == len(runs)
    assert len({json.dumps(run.config.to_json()) for run in runs}) == len(runs), "no network is trained twice"
    assert all(20 < run.seconds < 1200 for run in runs)
    assert sum(run.name.endswith("balanced") for run in runs) == 12, "the paper's six networks on both sets"


def test_data_travels_in_parts(room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "PART_BYTES", 2500)
    source = tmp_path / "source"
    (source / "images").mkdir(parents=True)
    for name in ("metadata.csv", "boxes.csv", "masks.npz", *(f"images/{n}.jpg" for n in range(9))):
        (source / name).write_bytes(name.encode() * 50)
    study.pack(tmp_path / "packed", source / "masks.npz", source)
    parts = sorted((tmp_path / "packed").iterdir())
    assert len(parts) > 2
    for part in parts:
        study.unpack(part)
    there = {str(path.relative_to(room / "data")): path for path in (room / "data").rglob("*") if path.is_file()}
    assert len(there) == 12
    assert there["images/3.jpg"].read_bytes() == b"images/3.jpg" * 50
    assert there["lung-masks.npz"].read_bytes() == b"masks.npz" * 50


def test_a_run_is_taken_once_and_only_if_it_ends_in_time(room: Path) -> None:
    taken = [study._claimed(order(room, 1000)) for _ in range(3)]
    assert [run and run.name for run in taken] == ["first", "second", None]
    for claim in (room / "claims").iterdir():
        claim.unlink()
    assert study._claimed(order(room, 5)) is None


def finish(room: Path, name: str) -> RunDir:
    run = RunDir(room / "runs" / name)
    run.begin(SMALL, "a" * 64)
    torch.manual_seed(0)
    for cycle in (1, 2):
        run.log({"cycle": cycle, "epoch": cycle, "images_per_second": 9.0})
        run.save_cycle(cycle, build("resnet18"), {"val": np.ones((4, 3), np.float32)}, keep="last")
    return run


def test_results_come_home_once_in_pieces(room: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (room / "claims" / "first").write_text("done")
    run, home = finish(room, "first"), tmp_path / "home"
    study.collect(call(tmp_path, 1), 0)
    assert len(list((tmp_path / "call-1").iterdir())) == 2, "half of 45 MB of weights, in pieces of 16 MB"
    study.merge(tmp_path / "call-1", home)
    came = RunDir(home / "first")
    assert came.config == SMALL
    assert np.array_equal(came.logits(1, "val"), run.logits(1, "val"))
    network, before = build("resnet18"), build("resnet18")
    came.restore(2, network)
    run.restore(2, before)
    torch.testing.assert_close(network.state_dict(), before.state_dict(), rtol=1e-3, atol=1e-4)
    finish(room, "second")
    study.collect(call(tmp_path, 2), 0)
    assert sum(path.stat().st_size for path in (tmp_path / "call-2").iterdir()) < 2e6
    study.merge(tmp_path / "call-2", home)
    assert RunDir(home / "second").archive(2).exists()
    assert not RunDir(home / "second").snapshot(2).exists()
    assert "first: done" in capsys.readouterr().out


def call(tmp_path: Path, number: int) -> Path:
    out = tmp_path / f"call-{number}"
    out.mkdir()
    return out


def test_a_trial_has_a_few_of_the_images_that_have_come(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "TRIAL", 2)
    lines = [f"images/{split}-{number}.jpg,{split}" for split in ("train", "val") for number in range(5)]
    (room / "data" / "metadata.csv").write_text("\n".join(["file,split", *lines, ""]))
    (room / "data" / "images").mkdir()
    for name in ("train-1", "train-3", "train-4", "val-0"):
        (room / "data" / "images" / f"{name}.jpg").touch()
    study._cut_table()
    kept = (room / "data" / "metadata.csv").read_text().splitlines()
    assert kept == ["file,split", "images/train-1.jpg,train", "images/train-3.jpg,train", "images/val-0.jpg,val"]
