"""The figures of explanations: measured on a tiny network, and verdicts on known figures."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from attribution import faithfulness, perturbation, robustness
from cxr.model.frames import FULL
from evaluation.evaluation_file import read_explanations
from evaluation.figure import Figure
from evaluation.maps import explanations as module
from evaluation.maps.explanations import METHODS, SLOW, choose, explanations
from evaluation.maps.lung_masks import framed
from evaluation.maps.quality import CLAIMANT, CRITERIA, METHOD_NAMES, RIVALS, Explanations
from tests.attribution.networks import randomised
from training.data import Dataset, Row
from training.lungs.mask_file import load_masks, save_masks


def dataset(count: int) -> Dataset:
    rows = tuple(Row(f"{i}.png", "normal", "somewhere", f"patient {i // 2}", "val") for i in range(count))
    return Dataset(rows, np.random.default_rng(0).integers(0, 256, (count, 32, 32), dtype=np.uint8))


@pytest.fixture(scope="module")
def found() -> Explanations:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faithfulness, "STEPS", 4)
        patch.setattr(robustness, "DRAWS", 2)
        patch.setattr(module, "SQUARES", 4)
        patch.setattr(perturbation, "STEPS", 2)
        lungs = np.zeros((6, 16, 16), bool)
        lungs[:4, 4:12, 2:6] = True
        return explanations(randomised("resnet18"), "resnet18", dataset(6), lungs, batch=4)


def test_every_method_has_every_figure(found: Explanations) -> None:
    for method in METHODS:
        for criterion in CRITERIA.keys() - {"conservation"}:
            assert found.figures[f"{method}/{criterion}"].value is not None, (method, criterion)
    for method in SLOW:
        for criterion in ("deletion", "insertion", "aopc", "infidelity", "lungs", "pointing"):
            assert found.figures[f"{method}/{criterion}"].value is not None, (method, criterion)
    assert set(METHODS | SLOW) == set(METHOD_NAMES)
    assert (found.images, found.patients, found.lungs) == (6, 3, 4)


def test_figures_that_are_known_beforehand(found: Explanations) -> None:
    assert found.figures["gaussian/sensitivity"].value == 0
    assert found.figures["gaussian/randomised"].value == pytest.approx(1)
    assert abs(found.figures["random/randomised"].value or 1) < 0.1
    conservation = found.figures["lrp/conservation"].value
    assert conservation is not None
    assert conservation < 1e-4
    difference = found.figures["gradcam_plus_plus-lrp/aopc"].value
    ours, theirs = (found.figures[f"{method}/aopc"].value for method in ("gradcam_plus_plus", "lrp"))
    assert difference == pytest.approx((ours or 0) - (theirs or 0), abs=2e-4)


def test_json_there_and_back(found: Explanations, tmp_path: Path) -> None:
    (tmp_path / "found.json").write_text(json.dumps(asdict(found), allow_nan=False))
    assert read_explanations(tmp_path / "found.json") == found


def test_images_are_drawn_at_random_and_the_same_each_time() -> None:
    data = dataset(20)
    assert len(choose(data, 7).rows) == 7
    assert choose(data, 7).rows == choose(data, 7).rows
    assert choose(data, 7).rows != data.rows[:7]
    assert choose(data, 50).rows == data.rows


# --- The verdict, on synthetic figures


def figures(advantage: float, against_random: float = 1.0) -> dict[str, Figure]:
    """Figures in which Grad-CAM++ is better by this much (if positive) in each criterion."""
    made = {}
    for name, criterion in CRITERIA.items():
        value = advantage if criterion.better == "higher" else -advantage
        for rival in RIVALS:
            made[f"{rival}/{name}"] = Figure(0.0, 0.0, 0.0)
            if name != "conservation":
                made[f"{CLAIMANT}-{rival}/{name}"] = Figure(value, value - 0.1, value + 0.1)
    for method in (CLAIMANT, *RIVALS):
        for name in ("deletion", "insertion"):
            made[f"{method}/{name}"] = Figure(against_random, against_random - 0.1, against_random + 0.1)
    return made


@pytest.fixture
def blank() -> Explanations:
    return Explanations("resnet18", 300, 290, 16, "CPU", 1.0, {})


def test_better_in_all_supports_the_claim(blank: Explanations) -> None:
    verdict = replace(blank, figures=figures(1.0)).verdict()
    assert verdict[0] == "Grad-CAM++ beats a random order on deletion and insertion."
    assert "better than LRP in deletion, insertion, aopc, infidelity, sensitivity" in verdict[-2]
    assert "worse in none" in verdict[-2]
    assert "images support the paper's claim" in verdict[-1]


@pytest.mark.parametrize("advantage", [0.05, -1.0])
def test_open_or_worse_does_not(blank: Explanations, advantage: float) -> None:
    assert "do not support" in replace(blank, figures=figures(advantage)).verdict()[-1]


def test_one_loss_among_the_faithful_is_enough(blank: Explanations) -> None:
    made = figures(1.0) | {"gradcam_plus_plus-lrp/infidelity": Figure(1.0, 0.9, 1.1)}
    verdict = replace(blank, figures=made).verdict()
    assert "worse in infidelity" in verdict[-2]
    assert "do not support" in verdict[-1]


def test_other_methods_are_compared_with_random_but_not_part_of_the_claim(blank: Explanations) -> None:
    made = figures(1.0) | {f"occlusion/{name}": Figure(0.2, 0.1, 0.3) for name in ("deletion", "insertion")}
    verdict = replace(blank, figures=made).verdict()
    assert verdict[3] == "Occlusion beats a random order on deletion and insertion."
    assert "images support the paper's claim" in verdict[-1]


def test_the_verdict_names_methods_that_do_not_beat_random(blank: Explanations) -> None:
    made = figures(1.0, against_random=0.05) | {"lrp/insertion": Figure(0.2, 0.1, 0.3)}
    verdict = replace(blank, figures=made).verdict()
    assert verdict[0] == "Grad-CAM++ does not beat a random order."
    assert verdict[2] == "LRP beats a random order on insertion, not on deletion."


# --- Without pydantic and onnxruntime


def test_stored_masks_come_back_by_file(tmp_path: Path) -> None:
    rows = dataset(3).rows
    masks = np.zeros((2, 8, 8), bool)
    masks[0, 0, 0] = masks[1, 1, 1] = True
    save_masks(tmp_path / "lungs.npz", {rows[2].file: masks[0], rows[0].file: masks[1]})
    read = framed(load_masks(tmp_path / "lungs.npz"), rows, FULL)
    assert np.array_equal(read, np.stack([masks[1], np.zeros((8, 8), bool), masks[0]]))


@pytest.mark.slow
def test_the_command_runs_without_pydantic() -> None:
    import subprocess
    import sys

    code = (
        "import sys; sys.modules.update(dict.fromkeys(['pydantic', 'onnxruntime', 'onnx', 'bentoml', 'captum'])); "
        "import evaluation.maps.explanations"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_help_names_what_it_needs() -> None:
    import typer

    app = typer.Typer()
    app.command()(module.main)
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200", "NO_COLOR": "1"}).output
    for option in ("--weights", "--architecture", "--data", "--images", "--output", "--lungs"):
        assert option in shown
    assert torch.get_default_dtype() == torch.float32
