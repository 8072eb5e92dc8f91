"""A run's folder: its progress, the state after an interruption, and its owner."""

import json
from collections import OrderedDict
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cxr.errors import DataError
from training.augmentation.augment import STRONG
from training.config import TrainConfig
from training.rundir import RunDir
from training.weightwatcher import spectral_figures

CONFIG = TrainConfig(epochs=6, cycles=3, size=32)
TABLE = "a" * 64
LOGITS = np.arange(6, dtype=np.float32).reshape(2, 3)


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))


def log_cycle(run: RunDir, cycle: int) -> None:
    for epoch in (2 * cycle - 1, 2 * cycle):
        run.log({"cycle": cycle, "epoch": epoch, "train_loss": 1 / epoch, "lr": 1e-5})


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """A run with two complete cycles."""
    made = RunDir(tmp_path / "runs" / "first")
    assert made.begin(CONFIG, TABLE) == 0
    for cycle in (1, 2):
        log_cycle(made, cycle)
        made.save_cycle(cycle, network(cycle), {"val": LOGITS * cycle})
    return made


def test_a_run_knows_its_hyperparameters_and_its_table(run: RunDir) -> None:
    again = RunDir(run.path)
    assert again.config == CONFIG
    assert again.table_sha256 == TABLE
    assert again.begin(CONFIG, TABLE) == again.complete_cycles() == 2


def test_a_snapshot_is_restored_bit_by_bit_with_its_logits(run: RunDir) -> None:
    restored = network(9)
    run.restore(2, restored)
    for name, tensor in network(2).state_dict().items():
        assert torch.equal(restored.state_dict()[name], tensor)
        assert restored.state_dict()[name].dtype == tensor.dtype
    assert np.array_equal(run.logits(2, "val"), LOGITS * 2)


def test_an_interrupted_cycles_epochs_are_forgotten_and_the_others_kept(run: RunDir) -> None:
    before = (run.path / "log.csv").read_bytes()
    run.log({"cycle": 3, "epoch": 5, "train_loss": 0.1, "lr": 1e-5})
    assert len(run.read_log()) == 5
    assert run.begin(CONFIG, TABLE) == 2
    assert (run.path / "log.csv").read_bytes() == before
    assert [row["epoch"] for row in run.read_log()] == [1, 2, 3, 4]
    assert run.read_log()[2]["train_loss"] == 1 / 3


def test_half_a_line_is_forgotten_too(run: RunDir) -> None:
    before = (run.path / "log.csv").read_bytes()
    for torn in (b"1", b"3,5,0.", b"2,5,0.1,1e-5"):
        (run.path / "log.csv").write_bytes(before + torn)
        assert run.begin(CONFIG, TABLE) == 2
        assert (run.path / "log.csv").read_bytes() == before


def test_an_interrupted_first_cycle_leaves_an_empty_log(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.begin(CONFIG, TABLE)
    run.log({"cycle": 1, "epoch": 1})
    assert run.begin(CONFIG, TABLE) == 0
    assert run.read_log() == []


def test_a_half_written_snapshot_does_not_count(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", die)
    with pytest.raises(KeyboardInterrupt):
        run.save_cycle(3, network(3), {"val": LOGITS})
    assert run.complete_cycles() == 2


def test_cycles_are_counted_without_a_gap(run: RunDir) -> None:
    run.save_cycle(3, network(3), {"val": LOGITS})
    run.archive(2).unlink()
    assert run.begin(CONFIG, TABLE) == 1
    assert {row["cycle"] for row in run.read_log()} == {1}


def test_the_last_snapshot_is_enough_to_go_on(run: RunDir) -> None:
    run.save_cycle(3, network(3), {"val": LOGITS}, keep="last")
    assert [run.snapshot(cycle).exists() for cycle in (1, 2, 3)] == [False, False, True]
    assert run.begin(CONFIG, TABLE) == 3
    assert np.array_equal(run.logits(1, "val"), LOGITS)
    run.snapshot(3).unlink()
    assert run.complete_cycles() == 0


def test_a_snapshots_spectral_figures_are_kept(run: RunDir) -> None:
    assert run.spectral(2) is None  # three singular values are too few for a fit
    layer = nn.Linear(40, 30)
    run.save_cycle(3, nn.Sequential(OrderedDict(head=layer)), {"val": LOGITS})
    expected = spectral_figures({"head": np.linalg.svd(layer.weight.detach().numpy(), compute_uv=False)})
    found = run.spectral(3)
    assert found is not None
    assert expected is not None
    assert astuple(found) == pytest.approx(astuple(expected), rel=1e-4)


def test_logits_are_kept_in_half_precision(run: RunDir) -> None:
    with np.load(run.archive(2)) as archive:
        assert archive["val"].dtype == np.float16
    assert run.logits(2, "val").dtype == np.float32


def test_weights_of_another_network_are_a_named_error(run: RunDir) -> None:
    with pytest.raises(DataError, match=r"cycle-02\.safetensors does not fit"):
        run.restore(2, nn.Sequential(nn.Linear(4, 3, bias=False), nn.BatchNorm1d(3)))
    run.snapshot(2).write_bytes(b"\0")
    with pytest.raises(DataError, match="does not fit"):
        run.restore(2, network())


def test_missing_logits_are_a_named_error(run: RunDir) -> None:
    with pytest.raises(DataError, match=r"cycle-02\.npz holds no test"):
        run.logits(2, "test")
    with pytest.raises(DataError, match=r"cycle-03\.npz"):
        run.spectral(3)


@pytest.mark.parametrize(
    ("config", "table"),
    [
        (replace(CONFIG, seed=1), TABLE),
        (replace(CONFIG, epochs=12), TABLE),
        (replace(CONFIG, augmentation=STRONG), TABLE),
        (replace(CONFIG, augmentation=replace(CONFIG.augmentation, noise=0.01)), TABLE),
        (CONFIG, "b" * 64),
    ],
)
def test_other_hyperparameters_or_another_table_are_refused_and_nothing_is_touched(
    run: RunDir, config: TrainConfig, table: str
) -> None:
    before = {path.name: path.read_bytes() for path in run.path.iterdir()}
    with pytest.raises(DataError, match="other hyperparameters") as caught:
        run.begin(config, table)
    assert str(run.path) in str(caught.value)
    assert {path.name: path.read_bytes() for path in run.path.iterdir()} == before


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_damaged_header_is_a_named_error(run: RunDir, content: str) -> None:
    (run.path / "config.json").write_text(content)
    with pytest.raises(DataError, match="first"):
        run.begin(CONFIG, TABLE)


def test_a_kill_while_the_log_is_trimmed_loses_no_epoch(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    run.log({"cycle": 3, "epoch": 5, "train_loss": 0.1, "lr": 1e-5})
    before = (run.path / "log.csv").read_bytes()

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        for name in ("replace", "rename", "unlink"):
            patch.setattr(Path, name, die)
        with pytest.raises(KeyboardInterrupt):
            run.begin(CONFIG, TABLE)
    assert (run.path / "log.csv").read_bytes() == before
    assert run.begin(CONFIG, TABLE) == 2
    assert len(run.read_log()) == 4


def test_logits_of_a_left_out_source_are_kept_in_half_precision(run: RunDir) -> None:
    run.save_cycle(3, network(3), {"val": LOGITS, "left_out": np.float32(1 / 3) * LOGITS})
    assert run.logits(3, "left_out").dtype == np.float32
    np.testing.assert_allclose(run.logits(3, "left_out"), LOGITS / 3, rtol=1e-3)
    with np.load(run.archive(3)) as archive:
        assert archive["left_out"].dtype == np.float16


def test_an_older_run_resumes_with_a_new_hyperparameters_default(run: RunDir) -> None:
    file = run.path / "config.json"
    header = json.loads(file.read_text())
    del header["train"]["opacity_weight"], header["train"]["augmentation"]["jpeg"]
    file.write_text(json.dumps(header))
    assert run.begin(CONFIG, TABLE) == 2
    with pytest.raises(DataError, match="other hyperparameters"):
        run.begin(replace(CONFIG, opacity_weight=1.0), TABLE)


def test_config_json_is_for_people_too(run: RunDir) -> None:
    header = json.loads((run.path / "config.json").read_text())
    assert header["train"]["architecture"] == "resnet18"
    assert header["table_sha256"] == TABLE
