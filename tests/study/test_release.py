"""Bundles of several snapshots, and which of them explains."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from cli import app
from cxr.errors import DataError
from cxr.labels import LABELS
from cxr.model.bundle import Bundle
from cxr.model.inference import Ensemble
from cxr.model.posterior import combine
from evaluation.calibration import calibrated_log_loss, fit_temperature, fit_thresholds
from evaluation.predictions import logits_of
from networks.architectures import build
from study.candidate import Candidate, archive_hashes
from study.ensemble import Plan
from study.release import Source, release
from study.study import load_study
from study.tables import ExplainingMember, Snapshot
from training.config import TrainConfig
from training.data import Dataset, Row, half_of_validation, table_sha256
from training.rundir import RunDir

CONFIG = TrainConfig(size=32, epochs=2, cycles=2, batch_size=4)


def write_run(path: Path, config: TrainConfig, table: str, validation: Dataset) -> RunDir:
    """A run that learnt nothing: its weights are random."""
    run = RunDir(path)
    run.begin(config, table)
    for cycle in (1, 2):
        torch.manual_seed(10 * config.seed + cycle)
        np.savez(run.archive(cycle), val=np.full((len(validation.rows), 3), cycle, dtype=np.float32))
        save_file(build(config.architecture).state_dict(), run.snapshot(cycle))
    return run


@pytest.fixture(scope="module")
def validation() -> Dataset:
    rng = np.random.default_rng(0)
    rows = tuple(Row(f"{i}.png", LABELS[i % 3], "", f"p{i}", "val") for i in range(60))
    return Dataset(rows, rng.integers(0, 256, (60, 32, 32), dtype=np.uint8))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, validation: Dataset) -> list[RunDir]:
    """Two runs. Do not write into them."""
    folder = tmp_path_factory.mktemp("runs")
    return [write_run(folder / f"s{seed}", replace(CONFIG, seed=seed), "0" * 64, validation) for seed in (0, 1)]


@pytest.fixture(scope="module")
def pair(runs: list[RunDir], validation: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    sources = [Source(runs[0], 1), Source(runs[1], 2)]
    return release(sources, validation, "pair", "1", tmp_path_factory.mktemp("bundles") / "pair")


def test_members_are_named_by_architecture_and_cycle(pair: Bundle) -> None:
    assert [(m.name, m.weights, m.cycle) for m in pair.manifest.members] == [
        ("resnet18-c01", "resnet18-c01.safetensors", 1),
        ("resnet18-c02", "resnet18-c02.safetensors", 2),
    ]
    assert pair.manifest.ensemble == "scpa"


def test_calibration_is_of_the_ensemble_on_the_half_that_chose_nothing(pair: Bundle, validation: Dataset) -> None:
    unseen = validation.where(half_of_validation(row) == "calibrate" for row in validation.rows)
    logits, manifest = logits_of(Ensemble(pair), unseen), pair.manifest
    assert logits.shape[0] == 2
    assert manifest.temperature == pytest.approx(fit_temperature(logits, unseen.labels, "scpa"))
    posterior = combine(logits, manifest.temperature, "scpa")
    assert manifest.conformal.thresholds == pytest.approx(fit_thresholds(posterior, unseen.labels, 0.9))


def test_the_member_that_validation_speaks_for_explains_and_the_manifest_says_why(
    pair: Bundle, validation: Dataset
) -> None:
    chosen_on = validation.where(half_of_validation(row) == "select" for row in validation.rows)
    logits = logits_of(Ensemble(pair), chosen_on)
    losses = [calibrated_log_loss(one[None], chosen_on.labels, "scpa") for one in logits]
    assert pair.explainer == pair.manifest.members[int(np.argmin(losses))]
    assert pair.manifest.explainer_reason is not None
    assert f"{min(losses):.4f} of 2 members" in pair.manifest.explainer_reason
    assert all("log_loss" in member.validation for member in pair.manifest.members)


def test_members_that_do_not_fit_together_are_refused(runs: list[RunDir], validation: Dataset, tmp_path: Path) -> None:
    larger = write_run(tmp_path / "larger", replace(CONFIG, size=64), "0" * 64, validation)
    stranger = write_run(tmp_path / "stranger", CONFIG, "1" * 64, validation)
    for other in (larger, stranger):
        with pytest.raises(DataError, match="share one recipe"):
            release([Source(runs[0], 1), Source(other, 1)], validation, "pair", "1", tmp_path / "bundle")
    with pytest.raises(DataError, match=r"cycle-03.safetensors does not exist"):
        release([Source(runs[0], 3)], validation, "pair", "1", tmp_path / "bundle")


@pytest.fixture
def on_disk(validation: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """runs/ and data/ as the command finds them; images come from memory."""
    data = tmp_path / "data"
    data.mkdir()
    lines = [f"{row.file},{row.label},{row.patient},{row.split}" for row in validation.rows]
    (data / "metadata.csv").write_text("\n".join(["file,label,patient,split", *lines]) + "\n")
    for seed in (0, 1):
        write_run(tmp_path / "runs" / f"s{seed}", replace(CONFIG, seed=seed), table_sha256(data), validation)
    monkeypatch.setattr("training.data.load", lambda *_: validation)
    return tmp_path


def run(*arguments: object, status: int = 0) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    return result.output


def test_the_command_takes_runs_with_cycles(on_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[tuple[str, int]]] = []

    def record(sources: list[Source], *_: object) -> None:
        asked.append([(source.run.path.name, source.cycle) for source in sources])

    monkeypatch.setattr("study.release.release", record)
    runs, rest = on_disk / "runs", ("-o", on_disk / "bundle", "--data", on_disk / "data")
    run("release", runs / "s1", *rest)
    run("release", f"{runs}/s0@1", runs / "s1", *rest)
    assert asked == [[("s1", 2)], [("s0", 1), ("s1", 2)]]
    assert "config.json" in run("release", runs / "s9@1", *rest, status=2)


def test_a_candidate_becomes_the_bundle_it_describes(on_disk: Path) -> None:
    study = load_study([on_disk / "runs"], on_disk / "data")
    plan = Plan("pair", "pair", (Snapshot("s0", 2), Snapshot("s1", 2)), "pm")
    explainer = ExplainingMember(Snapshot("s1", 2), "validation says so", {})
    hashes = archive_hashes(study, plan.members)
    Candidate(1, study.table_sha256, plan, explainer, (plan,), hashes).write(on_disk / "candidate.json")
    command = ("release", on_disk / "runs", "-o", on_disk / "chosen", "--data", on_disk / "data")
    run(*command, "--candidate", on_disk / "candidate.json")
    manifest = Bundle(on_disk / "chosen").manifest
    assert [member.name for member in manifest.members] == ["resnet18-c02-1", "resnet18-c02-2"]
    assert (manifest.ensemble, manifest.explainer) == ("pm", "resnet18-c02-2")
    assert manifest.explainer_reason == "validation says so"
    shutil.copy(on_disk / "runs" / "s0" / "cycle-01.npz", on_disk / "runs" / "s0" / "cycle-02.npz")
    assert "s0-c02 is not the snapshot" in run(*command, "--candidate", on_disk / "candidate.json", status=2)
