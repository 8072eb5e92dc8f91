"""Bundles of several snapshots, and the explaining member."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from cli import app
from cxr.errors import BundleError, DataError
from cxr.labels import LABELS
from cxr.model.bundle import Bundle
from cxr.model.frames import FULL, LUNGS
from cxr.model.inference import Ensemble
from cxr.model.posterior import combine
from evaluation.bundle_images import BundleImages
from evaluation.calibration import calibrated_log_loss, fit_temperature, fit_thresholds
from evaluation.predictions import logits_of
from networks.architectures import build, storable
from networks.unet import UNet
from study.candidate import Calibration, Candidate, archive_hashes
from study.ensemble import Plan
from study.release import Contents, Source, release
from study.study import load_study
from study.tables import ExplainingMember, Snapshot
from training.config import TrainConfig
from training.data import Row, half_of_validation, table_sha256
from training.rundir import RunDir

CONFIG = TrainConfig(size=32, epochs=2, cycles=2, batch_size=4)
DATA = Path("images come from memory")


def write_run(path: Path, config: TrainConfig, table: str, validation: BundleImages) -> RunDir:
    """A run with random weights."""
    run = RunDir(path)
    run.begin(config, table)
    for cycle in (1, 2):
        torch.manual_seed(10 * config.seed + cycle)
        np.savez(run.archive(cycle), val=np.full((len(validation.rows), 3), cycle, dtype=np.float32))
        save_file(build(config.architecture, config.opacity_weight > 0).state_dict(), run.snapshot(cycle))
    return run


@pytest.fixture(scope="module")
def validation() -> BundleImages:
    """A validation set in which the lung frame is the full frame upside down."""
    rng = np.random.default_rng(0)
    rows = tuple(Row(f"{i}.png", LABELS[i % 3], "", f"p{i}", "val") for i in range(60))
    upright = rng.integers(0, 256, (60, 32, 32), dtype=np.uint8)
    return BundleImages(rows, {FULL: upright, LUNGS: upright[:, ::-1]})


@pytest.fixture(scope="module", autouse=True)
def images_from_memory(validation: BundleImages) -> Iterator[None]:
    def of_bundle(bundle: Bundle, *_: object) -> BundleImages:
        return BundleImages(validation.rows, {frame: validation.views[frame] for frame in bundle.manifest.frames})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("study.release.bundle_images", of_bundle)
        patch.setattr("study.release._hashes", lambda *_: None)  # hashes are tested in tests/study/site
        yield


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, validation: BundleImages) -> list[RunDir]:
    """Two runs. Do not write into them."""
    folder = tmp_path_factory.mktemp("runs")
    return [write_run(folder / f"s{seed}", replace(CONFIG, seed=seed), "0" * 64, validation) for seed in (0, 1)]


@pytest.fixture(scope="module")
def pair(runs: list[RunDir], tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Without lung segmenter and gate, whose export takes as long as that of its networks."""
    contents = Contents([Source(runs[0], 1), Source(runs[1], 2)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("study.release.adopt", lambda *_: None)
        patch.setattr("study.release.hand_on", lambda *_: None)
        return release(contents, DATA, "pair", "1", tmp_path_factory.mktemp("bundles") / "pair")


def test_members_are_named_by_architecture_and_cycle(pair: Bundle) -> None:
    assert [(m.name, m.weights, m.cycle) for m in pair.manifest.members] == [
        ("resnet18-c01", "resnet18-c01.safetensors", 1),
        ("resnet18-c02", "resnet18-c02.safetensors", 2),
    ]
    assert pair.manifest.ensemble == "scpa"


def test_calibration_is_of_the_ensemble_on_the_calibration_half(pair: Bundle, validation: BundleImages) -> None:
    unseen = validation.where(half_of_validation(row) == "calibrate" for row in validation.rows)
    logits, manifest = logits_of(Ensemble(pair, precision="float32"), unseen), pair.manifest
    assert logits.shape[0] == 2
    assert manifest.temperature == pytest.approx(fit_temperature(logits, unseen.labels, "scpa"))
    posterior = combine(logits, manifest.temperature, "scpa")
    assert manifest.conformal.thresholds == pytest.approx(fit_thresholds(posterior, unseen.labels, 0.9))


def test_the_best_member_on_validation_explains_and_the_manifest_has_the_reason(
    pair: Bundle, validation: BundleImages
) -> None:
    chosen_on = validation.where(half_of_validation(row) == "select" for row in validation.rows)
    logits = logits_of(Ensemble(pair, precision="float32"), chosen_on)
    losses = [calibrated_log_loss(one[None], chosen_on.labels, "scpa") for one in logits]
    assert pair.explainer == pair.manifest.members[int(np.argmin(losses))]
    assert pair.manifest.explainer_reason is not None
    assert f"{min(losses):.4f} of 2 members" in pair.manifest.explainer_reason
    assert all("log_loss" in member.validation for member in pair.manifest.members)


def test_members_that_do_not_fit_together_are_refused(
    runs: list[RunDir], validation: BundleImages, tmp_path: Path
) -> None:
    larger = write_run(tmp_path / "larger", replace(CONFIG, size=64), "0" * 64, validation)
    stranger = write_run(tmp_path / "stranger", CONFIG, "1" * 64, validation)
    for other in (larger, stranger):
        with pytest.raises(DataError, match="must share recipe"):
            release(Contents([Source(runs[0], 1), Source(other, 1)]), DATA, "pair", "1", tmp_path / "bundle")
    with pytest.raises(DataError, match=r"cycle-03.safetensors does not exist"):
        release(Contents([Source(runs[0], 3)]), DATA, "pair", "1", tmp_path / "bundle")


@pytest.fixture(scope="module")
def travelling(tmp_path_factory: pytest.TempPathFactory, validation: BundleImages) -> list[RunDir]:
    """A run on the lungs with the opacity head, and one on the full frame without. Do not write into them."""
    folder = tmp_path_factory.mktemp("travelling")
    configs = {"lungs": replace(CONFIG, frame=LUNGS, opacity_weight=1.0), "full": replace(CONFIG, seed=1)}
    return [write_run(folder / name, config, "0" * 64, validation) for name, config in configs.items()]


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A segmenter with random weights, smaller than the shipped one."""
    file = tmp_path_factory.mktemp("segmenter") / "other.safetensors"
    torch.manual_seed(0)
    save_file(storable(UNet((4, 8), outputs=2)), file)
    return file


CALIBRATION = Calibration(1.5, 0.8, {"normal": 0.5, "pneumonia": 0.6, "covid19": 0.7}, "the other hospitals")


@pytest.mark.slow
def test_each_member_keeps_the_frame_and_the_heads_that_it_was_trained_with(
    travelling: list[RunDir], segmenter: Path, validation: BundleImages, tmp_path: Path
) -> None:
    root = tmp_path / "bundle"
    (root / "weights").mkdir(parents=True)
    (root / "weights" / "former.safetensors").write_bytes(b"of a former version")
    contents = Contents([Source(run, 2) for run in travelling], segmenter=segmenter, calibration=CALIBRATION)
    made = release(contents, DATA, "pair", "3", root)
    members = made.manifest.members
    assert [(m.name, m.frame, m.opacity_head) for m in members] == [
        ("resnet18-lungs-c02", LUNGS, True),
        ("resnet18-full-c02", FULL, False),
    ]
    assert made.manifest.lungs is not None
    assert made.read_weights(made.manifest.lungs) == segmenter.read_bytes()
    assert {file.name for file in (root / "weights").iterdir()} == {
        "gate.safetensors",
        "hashes.safetensors",
        "lungs.safetensors",
        *(member.weights for member in members),
    }
    logits = logits_of(Ensemble(made, precision="float32"), validation)
    for run, member, said in zip(travelling, members, logits, strict=True):
        network = build("resnet18", opacity_head=member.opacity_head)
        run.restore(2, network)
        with torch.inference_mode():
            expected = network.eval()(torch.from_numpy(validation.views[member.frame].copy())[:, None]).numpy()
        np.testing.assert_allclose(said, expected, rtol=0, atol=2e-2)  # weights are shipped in float16
    assert (made.manifest.temperature, made.manifest.conformal.thresholds) == (1.5, CALIBRATION.thresholds)
    assert (made.manifest.conformal.coverage, made.manifest.calibrated_on) == (0.8, "the other hospitals")


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 0.0},
        {"coverage": 1.0},
        {"thresholds": {"normal": 0.5}},
        {"thresholds": dict.fromkeys(LABELS, 1.5)},
    ],
    ids=str,
)
def test_a_calibration_out_of_range_is_refused(runs: list[RunDir], tmp_path: Path, wrong: dict[str, Any]) -> None:
    contents = Contents([Source(runs[0], 1)], calibration=replace(CALIBRATION, **wrong))
    with pytest.raises(DataError, match="a calibration has a temperature"):
        release(contents, DATA, "one", "1", tmp_path / "bundle")


def test_a_segmenter_that_is_none_is_refused(
    runs: list[RunDir], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.to_onnx._graphs", lambda *_: {})  # members come first
    contents = Contents([Source(runs[0], 1)], segmenter=runs[0].snapshot(1))
    with pytest.raises(BundleError, match="is not a U-Net's"):
        release(contents, DATA, "one", "1", tmp_path / "bundle")


@pytest.fixture
def on_disk(validation: BundleImages, tmp_path: Path) -> Path:
    """The folders runs/ and data/ for the command."""
    data = tmp_path / "data"
    data.mkdir()
    lines = [f"{row.file},{row.label},{row.patient},{row.split}" for row in validation.rows]
    (data / "metadata.csv").write_text("\n".join(["file,label,patient,split", *lines]) + "\n")
    for seed, frame in enumerate((FULL, LUNGS)):
        config = replace(CONFIG, seed=seed, frame=frame)
        write_run(tmp_path / "runs" / f"s{seed}", config, table_sha256(data), validation)
    return tmp_path


def run(*arguments: object, status: int = 0) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    return result.output


def test_the_command_takes_runs_with_cycles(on_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[tuple[str, int]]] = []

    def record(contents: Contents, *_: object) -> None:
        asked.append([(source.run.path.name, source.cycle) for source in contents.sources])

    runs, rest = on_disk / "runs", ("-o", on_disk / "bundle", "--data", on_disk / "data")
    assert "config.json" in run("release", runs / "s9@1", *rest, status=2)
    monkeypatch.setattr("study.release.release", record)
    run("release", runs / "s1", *rest)
    run("release", f"{runs}/s0@1", runs / "s1", *rest)
    assert asked == [[("s1", 2)], [("s0", 1), ("s1", 2)]]


def test_a_candidate_becomes_the_bundle_it_describes(on_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study.release.export_bundle", lambda _: None)  # the calibration is given: no figure is needed
    monkeypatch.setattr("study.release.Ensemble", lambda *_, **__: None)
    monkeypatch.setattr("study.release.logits_of", lambda _, images: np.zeros((2, len(images.rows), 3), np.float32))
    study = load_study([on_disk / "runs"], on_disk / "data")
    plan = Plan("pair", "pair", (Snapshot("s0", 2), Snapshot("s1", 2)), "pm")
    explainer = ExplainingMember(Snapshot("s1", 2), "validation says so", {})
    hashes = archive_hashes(study, plan.members)
    candidate = Candidate(1, study.table_sha256, plan, explainer, (plan,), hashes, {"s1-c02": LUNGS}, CALIBRATION)
    candidate.write(on_disk / "candidate.json")
    command = ("release", on_disk / "runs", "-o", on_disk / "chosen", "--data", on_disk / "data")
    run(*command, "--candidate", on_disk / "candidate.json")
    manifest = Bundle(on_disk / "chosen").manifest
    assert [member.name for member in manifest.members] == ["resnet18-full-c02", "resnet18-lungs-c02"]
    assert (manifest.ensemble, manifest.explainer) == ("pm", "resnet18-lungs-c02")
    assert manifest.explainer_reason == "validation says so"
    assert (manifest.temperature, manifest.calibrated_on) == (1.5, "the other hospitals")
    replace(candidate, frames={"s1-c02": FULL}).write(on_disk / "other.json")
    refused = run(*command, "--candidate", on_disk / "other.json", status=2)
    assert "s1-c02 was trained on the frame lungs-1" in refused
    shutil.copy(on_disk / "runs" / "s0" / "cycle-01.npz", on_disk / "runs" / "s0" / "cycle-02.npz")
    assert "s0-c02 is not the snapshot" in run(*command, "--candidate", on_disk / "candidate.json", status=2)
