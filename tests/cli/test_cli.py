"""The console command: what it prints where, and how it ends."""

import csv
import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from archive.rows import UNREADABLE
from cli import app
from cxr import __version__
from cxr.errors import BodyTooLarge, ParityError, Truncated, UnknownMember
from cxr.labels import DISCLAIMER, LABELS
from cxr.model.bundle import Bundle
from cxr.model.frames import FULL
from cxr.pipeline import UNFAMILIAR, Classifier
from evaluation.bundle_images import BundleImages
from export.verify import Flip, Parity
from tests import files
from tests.attribution.networks import coarse
from tests.bundles import first_member_only, hand_on_graphs
from training.data import Row

runner = CliRunner()


@pytest.fixture
def radiograph(tmp_path: Path) -> Path:
    path = tmp_path / "chest [red].png"  # a terminal library could interpret this as markup
    pixels = np.random.default_rng(0).integers(0, 256, (90, 120), dtype=np.uint8)
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    return path


@pytest.fixture
def broken(tmp_path: Path, radiograph: Path) -> Path:
    path = tmp_path / "broken.png"
    path.write_bytes(radiograph.read_bytes()[:200])
    return path


def test_help_names_the_commands_and_loads_no_torch() -> None:
    script = "import sys; sys.argv = ['cxr', '--help']; import atexit; import cli\n"
    script += "atexit.register(lambda: print('torch' in sys.modules))\ncli.app()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert all(command in done.stdout for command in ("export", "classify", "explain"))
    assert done.stdout.rstrip().endswith("False")


def test_the_shell_completes_commands_and_options() -> None:
    def completions(words: str) -> list[str]:
        environment = {"_CXR_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        return runner.invoke(app, env=environment, prog_name="cxr").stdout.splitlines()

    assert completions("cxr cl") == ["classify"]
    assert completions("cxr site --label-") == ["--label-column"]


def test_classify_as_json_is_the_finding(bundle: Bundle, radiograph: Path) -> None:
    result = runner.invoke(app, ["classify", str(radiograph), "--json", "--bundle", str(bundle.root)])
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    expected = Classifier(bundle).classify(radiograph.read_bytes())
    assert answer["file"] == str(radiograph)
    assert answer["prediction"] == expected.prediction
    assert answer["probabilities"] == pytest.approx(expected.probabilities, abs=1e-6)
    assert answer["disclaimer"] == DISCLAIMER
    assert [member["architecture"] for member in answer["members"]] == ["resnet18", "vgg16_bn"]


def test_a_bad_file_is_named_and_the_others_are_answered(bundle: Bundle, radiograph: Path, broken: Path) -> None:
    absent = radiograph.with_name("absent.png")
    files = [str(broken), str(radiograph), str(absent), str(radiograph)]
    result = runner.invoke(app, ["classify", *files, "--json", "--bundle", str(bundle.root)])
    assert result.exit_code == 1
    assert f"{broken}: {Truncated.message}" in result.stderr
    assert f"{absent}: The file cannot be read." in result.stderr
    told = {one["file"]: one.get("error", {}).get("code") for one in map(json.loads, result.stdout.splitlines())}
    assert told == {str(broken): Truncated.code, str(radiograph): None, str(absent): UNREADABLE}


def test_classify_takes_folders_and_stdin(bundle: Bundle, radiograph: Path, broken: Path) -> None:
    asked = ["classify", "-", str(broken.parent), "--json", "--bundle", str(bundle.root)]
    result = runner.invoke(app, asked, input=radiograph.read_bytes())
    answers = {one["file"]: one for one in map(json.loads, result.stdout.splitlines())}
    assert list(answers) == ["-", str(broken), str(radiograph)]
    assert answers["-"]["probabilities"] == answers[str(radiograph)]["probabilities"]


def test_a_file_on_stdin_is_no_larger_than_any(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.classify.MAX_BYTES", 100)
    result = runner.invoke(app, ["classify", "-", "--bundle", str(bundle.root)], input=b"x" * 101)
    assert result.exit_code == 1
    assert f"-: {BodyTooLarge.message}" in result.stderr
    assert result.stdout == ""


def test_one_form_at_a_time(radiograph: Path) -> None:
    result = runner.invoke(app, ["classify", str(radiograph), "--json", "--csv"])
    assert result.exit_code == 2
    assert "cannot be combined" in result.stderr


def test_classify_as_csv(bundle: Bundle, radiograph: Path, broken: Path) -> None:
    result = runner.invoke(app, ["classify", str(broken.parent / "*.png"), "--csv", "--bundle", str(bundle.root)])
    assert result.exit_code == 1
    refused, answered = csv.DictReader(StringIO(result.stdout))
    expected = Classifier(bundle).classify(radiograph.read_bytes())
    assert (refused["file"], refused["prediction"], refused["error"]) == (str(broken), "", Truncated.code)
    assert (answered["file"], answered["prediction"], answered["error"]) == (str(radiograph), expected.prediction, "")
    assert float(answered["p_covid19"]) == pytest.approx(expected.probabilities["covid19"], abs=1e-5)
    assert answered["prediction_set"].split(";") == list(expected.prediction_set)


def test_the_version() -> None:
    assert runner.invoke(app, ["--version"]).stdout == f"cxr {__version__}\n"


@pytest.mark.parametrize(
    ("pictures", "made"),
    [
        ("none", set()),
        ("heatmap", {"made.heatmap.png"}),
        ("both", {"made.jpg", "made.heatmap.png"}),
        ("overlay", {"made.jpg"}),
    ],
)
def test_explain_draws_the_requested_pictures(
    bundle: Bundle, radiograph: Path, tmp_path: Path, pictures: str, made: set[str]
) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    options = ["--pictures", pictures, "-o", str(folder / "made.jpg"), "--bundle", str(bundle.root)]
    result = runner.invoke(app, ["explain", str(radiograph), *options])
    assert result.exit_code == 0, result.output
    assert {path.name for path in folder.iterdir()} == made
    if pictures in ("overlay", "both"):
        assert (folder / "made.jpg").read_bytes().startswith(b"\xff\xd8")


def test_classify_as_a_table(bundle: Bundle, radiograph: Path, broken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.output.out.width", 160)
    result = runner.invoke(app, ["classify", str(radiograph), str(broken), "--bundle", str(bundle.root)])
    assert result.exit_code == 1
    assert f"{broken}: {Truncated.message}" in result.stderr
    assert f"{radiograph}: {UNFAMILIAR}" in result.stderr.replace("\n", "")
    assert "chest [red].png" in result.stdout
    assert "p(COVID-19)" in result.stdout
    assert DISCLAIMER in result.stderr


@pytest.mark.parametrize("target", ["predicted", *LABELS])
def test_explain_writes_the_picture(bundle: Bundle, radiograph: Path, tmp_path: Path, target: str) -> None:
    picture = tmp_path / "made.png"
    options = ["--target", target, "--method", "gradcam", "-o", str(picture), "--bundle", str(bundle.root)]
    result = runner.invoke(app, ["explain", str(radiograph), *options])
    assert result.exit_code == 0
    assert "The radiograph is classified as" in result.stdout
    assert "Grad-CAM locates" in result.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert DISCLAIMER in result.stderr


def test_explain_draws_all_methods_side_by_side_of_whom_one_asks(
    bundle: Bundle, radiograph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coarse(monkeypatch)
    picture = tmp_path / "panel.png"
    options = ["--method", "all", "--member", "ensemble", "-o", str(picture), "--bundle", str(bundle.root)]
    result = runner.invoke(app, ["explain", str(radiograph), *options])
    assert result.exit_code == 0, result.output
    assert all(f"{name} " in result.stdout for name in ("Grad-CAM++", "Grad-CAM", "LRP"))
    assert "mean of the members' maps" in result.stdout
    drawn = cv2.imread(str(picture))
    assert drawn is not None
    assert drawn.shape[1] > 4 * 340


def test_explain_refuses_an_unknown_member(bundle: Bundle, radiograph: Path, tmp_path: Path) -> None:
    picture = tmp_path / "made.png"
    options = ["--member", "alexnet", "-o", str(picture), "--bundle", str(bundle.root)]
    result = runner.invoke(app, ["explain", str(radiograph), *options])
    assert result.exit_code == 1
    assert UnknownMember.message in result.stderr
    assert not picture.exists()


def test_explain_names_the_picture_after_the_file(
    bundle: Bundle, radiograph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = runner.invoke(app, ["explain", str(radiograph), "--bundle", str(bundle.root)])
    assert result.exit_code == 0
    assert (tmp_path / "chest [red].overlay.png").exists()


def test_explain_writes_dicom_objects(bundle: Bundle, tmp_path: Path) -> None:
    radiograph, folder = tmp_path / "chest.dcm", tmp_path / "made" / "here"
    radiograph.write_bytes(files.radiograph_dicom())
    options = ["--dicom", str(folder), "-o", str(tmp_path / "made.png"), "--bundle", str(bundle.root)]
    result = runner.invoke(app, ["explain", str(radiograph), *options])
    assert result.exit_code == 0, result.output
    made = {path.name: files.parse(path.read_bytes()) for path in folder.iterdir()}
    assert {name: dataset.Modality for name, dataset in made.items()} == {"chest.sc.dcm": "OT", "chest.sr.dcm": "SR"}
    assert all(str(folder / name) in result.stdout for name in made)


@pytest.mark.parametrize("options", [[], ["--method", "all"]], ids=["of a PNG", "of a panel"])
def test_explain_writes_no_dicom_objects(bundle: Bundle, radiograph: Path, tmp_path: Path, options: list[str]) -> None:
    picture, folder = tmp_path / "made.png", tmp_path / "made"
    options += ["--dicom", str(folder), "-o", str(picture), "--bundle", str(bundle.root)]
    result = runner.invoke(app, ["explain", str(radiograph), *options])
    assert result.exit_code != 0
    assert not picture.exists()
    assert not folder.exists()


def test_explain_refuses_a_bad_file(bundle: Bundle, broken: Path, tmp_path: Path) -> None:
    picture = tmp_path / "made.png"
    result = runner.invoke(app, ["explain", str(broken), "-o", str(picture), "--bundle", str(bundle.root)])
    assert result.exit_code == 1
    assert f"{broken}: {Truncated.message}" in result.stderr
    assert not picture.exists()


def test_explain_reports_errors_before_it_loads_torch(bundle: Bundle, radiograph: Path, broken: Path) -> None:
    asked: list[list[Path | str]] = [
        [broken.parent],
        [broken.parent / "missing.png"],
        [radiograph, "--member", "alexnet"],
    ]
    commands = [["explain", *map(str, each), "--bundle", str(bundle.root)] for each in asked]
    answers = f"[app(command, standalone_mode=False) for command in {commands}]"
    code = f"import sys; from cli import app; print({answers}, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[2, 2, 1] False"
    for told in ("Is a directory", "No such file", UnknownMember.message):
        assert told in done.stderr


def test_explain_refuses_a_bad_file_while_torch_is_being_loaded(bundle: Bundle, broken: Path, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("import time; time.sleep(600)")
    code = (
        f"import sys; sys.argv[1:] = {['explain', str(broken), '--bundle', str(bundle.root)]}; import cli; cli.main()"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 1
    assert done.stderr.strip() == f"{broken}: {Truncated.message}"


@pytest.mark.parametrize("command", ["classify", "explain"])
def test_a_bundle_without_export_is_one_line_with_a_hint(
    bundle: Bundle, radiograph: Path, tmp_path: Path, command: str
) -> None:
    bare = first_member_only(bundle, tmp_path / "bare")
    result = runner.invoke(app, [command, str(radiograph), "--bundle", str(bare.root)])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.strip().splitlines() == [
        f"{bare.root / 'onnx' / 'manifest.json'} is missing: run `cxr export`"
    ]


def test_an_unknown_method_is_refused(radiograph: Path) -> None:
    result = runner.invoke(app, ["explain", str(radiograph), "--method", "lime"])
    assert result.exit_code == 2
    assert "gradcam_plus_plus" in result.stderr


def test_export_writes_graphs_that_classify(
    bundle: Bundle, radiograph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.output.out.width", 160)
    monkeypatch.setattr("export.to_onnx.export_bundle", lambda fresh, _: hand_on_graphs(bundle, fresh.root))
    fresh = first_member_only(bundle, tmp_path / "fresh")
    result = runner.invoke(app, ["export", str(fresh.root)])
    assert result.exit_code == 0, result.output
    assert "8 images" in result.stdout
    assert "float16" in result.stdout
    Classifier(Bundle(fresh.root)).classify(radiograph.read_bytes())


@pytest.mark.parametrize(("rounded", "kept"), [(0.0, True), (3.0, False)])
def test_graphs_of_eight_bits_are_kept_where_they_cost_little(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rounded: float, kept: bool
) -> None:
    """Of three images the rounded graphs get one wrong, or none."""
    validation = BundleImages(
        tuple(Row(f"{label}.png", label, "", label, "val") for label in LABELS), {FULL: np.zeros((3, 64, 64), np.uint8)}
    )
    done: list[str] = []

    def ensemble(_bundle: Bundle, precision: str) -> Any:
        shift = np.array([0, rounded if precision == "int8" else 0, 0])
        answers = iter(np.eye(3) + shift)
        return SimpleNamespace(logits=lambda _: next(answers)[np.newaxis, np.newaxis])

    monkeypatch.setattr("cli.output.out.width", 160)
    monkeypatch.setattr("export.to_onnx.export_bundle", lambda *_: None)
    monkeypatch.setattr("export.verify.verify", lambda *_: [])
    monkeypatch.setattr("evaluation.bundle_images.bundle_images", lambda *_: validation)
    monkeypatch.setattr("export.int8.quantise_bundle", lambda *_: done.append("quantised"))
    monkeypatch.setattr("export.int8.discard", lambda *_: done.append("discarded"))
    monkeypatch.setattr("cxr.model.inference.Ensemble", ensemble)
    result = runner.invoke(app, ["export", str(bundle.root), "--data", str(tmp_path), "--int8"])
    assert result.exit_code == 0, result.output
    assert done == (["quantised"] if kept else ["quantised", "discarded"])
    assert f"in int8; {'kept' if kept else 'not kept'} (limit" in result.stdout
    assert "3 validation images: 1.0000 in float32" in result.stdout


def test_eight_bits_need_the_data_that_they_are_measured_on(bundle: Bundle) -> None:
    result = runner.invoke(app, ["export", str(bundle.root), "--int8"])
    assert result.exit_code == 2
    assert "needs --data" in result.stderr


def test_export_lists_flips(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.output.out.width", 160)
    parity = Parity("resnet18-0", "float16", 8, 0.01, 0.02, (Flip("chest.png", 0.003),))
    monkeypatch.setattr("export.to_onnx.export_bundle", lambda *_: None)
    monkeypatch.setattr("export.verify.verify", lambda *_: [parity])
    result = runner.invoke(app, ["export", str(bundle.root)])
    assert result.exit_code == 0
    assert "chest.png (margin 3.0e-03)" in result.stdout


def test_a_graph_above_tolerance_ends_the_export(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ParityError("resnet18-0 differs")

    monkeypatch.setattr("export.to_onnx.export_bundle", lambda *_: None)
    monkeypatch.setattr("export.verify.verify", refuse)
    result = runner.invoke(app, ["export", str(bundle.root)])
    assert result.exit_code == 2
    assert result.stderr.rstrip().endswith("resnet18-0 differs")
