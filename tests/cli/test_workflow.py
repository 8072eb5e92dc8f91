"""From a folder of images to a served model, by the commands of the README."""

import csv
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from cli import app
from cxr.labels import LABELS
from cxr.model.bundle import Bundle
from evaluation import checks as checks_module
from evaluation import evaluate as evaluate_module
from tests.reporting.undrawn import not_drawn
from training import data as data_module

SPLITS = {"train": 24, "val": 24, "test": 12}
SMALL = ["size=32", "epochs=2", "cycles=2", "batch_size=12", "max_lr=0.02"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Small pictures whose label is their brightness, in the form of the data's README."""
    monkeypatch.setattr(data_module, "DEFAULT_CACHE", tmp_path / "cache")
    monkeypatch.setattr(evaluate_module, "RESAMPLES", 20)
    monkeypatch.setattr(checks_module, "RESAMPLES", 20)
    monkeypatch.setattr("training.rundir.singular_values", lambda _: {})  # they take longer than the training
    not_drawn(monkeypatch)
    rng = np.random.default_rng(0)
    folder = tmp_path / "data"
    folder.mkdir()
    with (folder / "metadata.csv").open("w", newline="") as handle:
        table = csv.writer(handle)
        table.writerow(["file", "label", "patient", "split"])
        for index in range(sum(SPLITS.values())):
            split = "train" if index < 24 else "val" if index < 48 else "test"
            image = rng.normal(50 + 70 * (index % 3), 10, (80, 70)).clip(0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / f"{index}.png"), image)
            table.writerow([f"{index}.png", LABELS[index % 3], f"patient-{index}", split])
    return folder


def run(*arguments: object, status: int = 0) -> str:
    """A command's output. It must end with this status."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    return result.output


@pytest.mark.slow
def test_a_folder_becomes_a_model(folder: Path, tmp_path: Path) -> None:
    knobs = [part for knob in SMALL for part in ("--set", knob)]
    run("train", tmp_path / "run", "--preset", "quick", *knobs, "--data", folder)
    assert (tmp_path / "run" / "learning-curve.png").exists()
    bundle = tmp_path / "model"
    run("release", tmp_path / "run", "-o", bundle, "--data", folder)
    member = Bundle(bundle).manifest.members[0]
    assert (member.architecture, member.cycle) == ("resnet18", 2)
    assert {"macro_f1", "log_loss", "covid19_recall"} <= set(member.validation)
    run("evaluate", "--bundle", bundle, "--split", "val", "--data", folder)
    shown = run("evaluate", "--bundle", bundle, "--split", "test", "--data", folder)
    assert "12 images" in shown
    card = (bundle / "MODEL_CARD.md").read_text()
    assert re.search(r"## Test split: 12 images of 12 patients", card)
    assert "| resnet18 | float16 | 24 |" in card
    assert "prediction" in run("classify", folder / "0.png", "--bundle", bundle)
    assert "small letters" in run("release", tmp_path / "run", "-o", tmp_path / "Model", "--data", folder, status=2)


@pytest.fixture
def by_class(tmp_path: Path, folder: Path) -> Path:
    """The same pictures with one folder per label and no table, as a user may have them."""
    sorted_ = tmp_path / "by class"
    with (folder / "metadata.csv").open(newline="") as handle:
        for row in csv.DictReader(handle):
            target = sorted_ / row["label"] / row["file"]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((folder / row["file"]).read_bytes())
    return sorted_


def test_two_commands_make_a_model_and_its_report_from_a_folder_of_images(by_class: Path, tmp_path: Path) -> None:
    knobs = [part for knob in SMALL for part in ("--set", knob)]
    made = tmp_path / "My run"
    run("train", made, "--preset", "quick", *knobs, "--data", by_class)
    shown = run("evaluate", "--run", made, "--report", tmp_path / "docs")
    assert "my-run 1 on val" in shown
    page = (made / "bundle" / "report.html").read_text()
    assert "Research use only" in page
    assert page.count("data:image/svg+xml") == 7  # six pictures of the split, and the learning curve
    assert page.count("data:image/png") > 2  # cases to look at
    text = (tmp_path / "docs" / "report.md").read_text()
    linked = set(re.findall(r"\]\(figures/([^)]+)\)", text))
    assert linked == {path.name for path in (tmp_path / "docs" / "figures").iterdir()}
    assert "learning-My-run.svg" in linked
    assert [path for path in (tmp_path / "docs").rglob("*") if path.suffix not in (".md", ".svg", "")] == []
    before = (made / "bundle" / "MODEL_CARD.md").read_text()
    run("report", "--bundle", made / "bundle", "--study", made)
    assert (made / "bundle" / "MODEL_CARD.md").read_text() == before
    assert "Cases to look at" not in (made / "bundle" / "report.html").read_text()


def test_a_hyperparameter_that_does_not_exist_is_named(folder: Path, tmp_path: Path) -> None:
    shown = run("train", tmp_path / "run", "--set", "momentun=0.9", "--data", folder, status=2)
    assert "no hyperparameter" in shown
    assert "momentun" in shown


@pytest.mark.parametrize(
    "setting",
    ["epochs=5", "mixup=much", "sampling=1", "epochs=true", "augmentation=1", "cycles=0", "size=64.5", "recipe=none"],
)
def test_a_value_that_does_not_fit_starts_nothing(folder: Path, tmp_path: Path, setting: str) -> None:
    run("train", tmp_path / "run", "--set", setting, "--data", folder, status=2)
    assert not (tmp_path / "run").exists()


def test_a_run_without_that_snapshot_makes_no_model(folder: Path, tmp_path: Path) -> None:
    assert "is missing" in run("evaluate", "--bundle", tmp_path / "nothing", "--data", folder, status=2)
    assert "config.json" in run("release", tmp_path / "nothing", "-o", tmp_path / "model", "--data", folder, status=2)
