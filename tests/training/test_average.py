"""The weight average: means of weights, fresh statistics, and a run like any other."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from typer.testing import CliRunner

from cli import app
from cxr.errors import DataError
from cxr.labels import LABELS
from networks.architectures import build
from training.average import average, recompute_statistics, write_average
from training.config import TrainConfig
from training.data import Dataset, Row
from training.loop import predict
from training.rundir import RunDir

CONFIG = TrainConfig(size=32, epochs=3, cycles=3, batch_size=4)


@pytest.fixture(scope="module")
def images() -> Dataset:
    rng = np.random.default_rng(0)
    rows = tuple(Row(f"{i}.png", LABELS[i % 3], "", f"p{i}", "val") for i in range(24))
    return Dataset(rows, rng.integers(0, 256, (24, 32, 32), dtype=np.uint8))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """A run with random networks as snapshots; the first one's weights are missing. Do not write into it."""
    run = RunDir(tmp_path_factory.mktemp("run"))
    run.begin(CONFIG, "0" * 64)
    for cycle in (1, 2, 3):
        torch.manual_seed(cycle)
        np.savez(run.archive(cycle), val=np.zeros((24, 3), dtype=np.float32))
        if cycle > 1:
            save_file(build("resnet18").state_dict(), run.snapshot(cycle))
    return run


@pytest.fixture(autouse=True)
def no_spectra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the eleven million singular values: another test covers them."""
    monkeypatch.setattr("training.rundir.singular_values", lambda _: {"head.2": np.arange(9.0, 0.0, -1.0)})


def test_weights_are_means(run: RunDir) -> None:
    parts = [build("resnet18") for _ in range(2)]
    for cycle, part in zip((2, 3), parts, strict=True):
        run.restore(cycle, part)
    mean = average(run, [2, 3]).state_dict()
    for name in ("trunk.conv1.weight", "head.2.bias", "trunk.layer4.1.bn2.weight"):
        one, other = (part.state_dict()[name] for part in parts)
        assert torch.allclose(mean[name], (one + other) / 2, atol=1e-7)


def test_statistics_are_those_of_the_images(images: Dataset) -> None:
    network = nn.Sequential(nn.Flatten(2), nn.Unflatten(2, (32, 32)), nn.BatchNorm2d(1), nn.Dropout(0.5))
    pixels = torch.from_numpy(np.array(images.images)).unsqueeze(1).float()
    recompute_statistics(network, pixels)
    norm = network[2]
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_mean.item() == pytest.approx(pixels.mean().item(), rel=1e-4)
    assert norm.momentum == 0.1
    assert not any(module.training for module in network.modules())


def test_the_average_is_a_run_of_one_cycle(run: RunDir, images: Dataset, tmp_path: Path) -> None:
    averaged = write_average(run, [2, 3], images, {"val": images}, tmp_path / "mean")
    assert averaged.config == replace(CONFIG, cycles=1)
    assert (averaged.table_sha256, averaged.complete_cycles()) == (run.table_sha256, 1)
    network = build("resnet18")
    averaged.restore(1, network)
    pixels = torch.from_numpy(np.array(images.images)).unsqueeze(1)
    assert np.allclose(averaged.logits(1, "val"), predict(network, pixels), atol=1e-3)
    assert averaged.spectral(1) is not None


def test_what_cannot_be_averaged_is_a_named_error(run: RunDir, images: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cycle-01.safetensors"):
        write_average(run, [1, 2, 3], images, {}, tmp_path / "mean")
    with pytest.raises(DataError, match="two snapshots"):
        write_average(run, [3], images, {}, tmp_path / "mean")
    assert not (tmp_path / "mean").exists()


def test_the_command_averages_the_last_ones(
    run: RunDir, images: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.data.load", lambda *_: images)
    monkeypatch.setattr("training.data.held_out", lambda *_: {"val": images})
    command = ["average", str(run.path), "-o", str(tmp_path / "mean")]
    refused = CliRunner().invoke(app, command)
    assert refused.exit_code == 2
    assert "cycle-01.safetensors" in refused.output
    done = CliRunner().invoke(app, [*command, "--last", "2"])
    assert done.exit_code == 0, done.output
    assert "cycles 2 to 3" in done.output
