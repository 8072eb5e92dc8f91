"""`cxr prepare`, and `cxr train` on a folder that is not prepared."""

import csv
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cli import app
from cli.prepare import NO_PATIENTS, data_of
from cxr.labels import LABELS
from evaluation import checks as checks_module
from evaluation import evaluate as evaluate_module
from tests import files
from tests.training.prepare.trees import by_class, chest, put, put_text
from training import data as data_module
from training.data import read_table

runner = CliRunner()


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.output.out.width", 160)


def run(*arguments: object, status: int = 0) -> tuple[str, str]:
    """A command's output on stdout and stderr. It must end with this status."""
    result = runner.invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    return result.stdout, result.stderr


def test_the_tables_account_for_every_file(tmp_path: Path) -> None:
    folder = by_class(tmp_path / "in", 8, ("NORMAL", "Viral Pneumonia", "COVID-19"))
    put(folder / "Lung_Opacity" / "x.png", chest(7))
    (folder / "NORMAL" / "broken.png").write_bytes(files.truncated_png())
    put(folder / "COVID-19" / "copy.png", (chest(0) * 0.9).astype(np.uint8))
    shown, said = run("prepare", folder, "-o", tmp_path / "out")
    assert "folders, 26 images to read" in said
    assert NO_PATIENTS in said
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.splitlines() if line.startswith("│")]
    rows = read_table(tmp_path / "out")
    for split in ("train", "val", "test"):
        (line,) = (line for line in cells if line[0] == split)
        counts = [sum(row.split == split and row.label == label for row in rows) for label in LABELS]
        assert [int(cell) for cell in line[1:4]] == counts
        assert int(line[4]) == sum(counts)
    assert ["its finding is none of normal, pneumonia and COVID-19", "1", "Lung_Opacity 1"] in cells
    assert "Near-duplicates: 1 pairs, each within one split; 1 differ in label." in shown
    assert len((tmp_path / "out" / "left-out.csv").read_text().splitlines()) == 3


def test_options_take_effect(tmp_path: Path) -> None:
    for index in range(12):
        put(tmp_path / "in" / f"{index}.png", chest(index))
    lines = [f"{index}.png,{('gesund', 'covid')[index % 2]},{index // 2}" for index in range(12)]
    table = put_text(tmp_path / "elsewhere.csv", "bild,befund,fall", *lines)
    options = ["--file-column", "bild", "--label-column", "befund", "--patient-column", "fall", "--source", "ward"]
    options += ["--licence", "CC0"]
    options += ["--table", str(table), "--from", "csv", "--label", "gesund=normal", "--val", "0.3", "--test", "0.3"]
    _, said = run("prepare", tmp_path / "in", "-o", tmp_path / "out", *options, "--mapping", tmp_path / "map.csv")
    assert "never share it" in said
    assert NO_PATIENTS not in said
    with (tmp_path / "map.csv").open() as handle:
        assert len(list(csv.DictReader(handle))) == 12
    rows = read_table(tmp_path / "out")
    assert {row.source for row in rows} == {"ward"}
    assert (tmp_path / "out" / "metadata.csv").read_text().count(",CC0,") == 12
    assert len({row.patient for row in rows}) == 6
    assert sum(row.label == "normal" for row in rows) == 6
    run("prepare", tmp_path / "in", "-o", tmp_path / "again", *options, "--seed", 1)
    again = {row.file: row.split for row in read_table(tmp_path / "again")}
    assert again != {row.file: row.split for row in rows}


def test_the_publishers_test_split_can_be_replaced(tmp_path: Path) -> None:
    by_class(tmp_path / "in" / "train", 6)
    put(tmp_path / "in" / "test" / "normal" / "t.png", chest(900))
    run("prepare", tmp_path / "in", "-o", tmp_path / "kept")
    run("prepare", tmp_path / "in", "-o", tmp_path / "anew", "--resplit")
    assert [row.split for row in read_table(tmp_path / "kept")].count("test") == 1
    assert [row.split for row in read_table(tmp_path / "anew")].count("test") > 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--patient-pattern", "("], "not a regular expression"),
        (["--label", "opacity=flu"], "WORD=LABEL"),
        (["--val", "0.9"], "shares"),
        (["--from", "cohen"], "--table"),
        (["--from", "csv", "--table", "nowhere.csv"], "no column file"),
    ],
)
def test_user_errors_are_one_line_with_status_2(tmp_path: Path, options: list[str], message: str) -> None:
    by_class(tmp_path / "in", 3)
    _, said = run("prepare", tmp_path / "in", "-o", tmp_path / "out", *options, status=2)
    assert message in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


KNOBS = [part for knob in ("size=32", "epochs=2", "cycles=2", "batch_size=6") for part in ("--set", knob)]


@pytest.mark.slow
def test_two_commands_from_folders_by_class_to_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_module, "DEFAULT_CACHE", tmp_path / "cache")
    monkeypatch.setattr(checks_module, "RESAMPLES", 20)
    monkeypatch.setattr(evaluate_module, "RESAMPLES", 20)
    folder, made = by_class(tmp_path / "in", 20), tmp_path / "run" / "data"
    shown, _ = run("train", tmp_path / "run", "--preset", "quick", *KNOBS, "--data", folder)
    assert "images by split" in shown
    assert len(read_table(made)) == 60
    shown, _ = run("evaluate", "--run", tmp_path / "run")
    assert "on val: 6 images" in shown
    assert (tmp_path / "run" / "bundle" / "report.html").exists()


def test_a_runs_data_is_made_once(tmp_path: Path) -> None:
    folder, own = by_class(tmp_path / "in"), tmp_path / "run" / "data"
    assert data_of(tmp_path / "run", None) == data_module.DEFAULT_DATA
    assert data_of(tmp_path / "run", folder) == own
    before = own.stat().st_mtime_ns
    assert data_of(tmp_path / "run", folder) == own
    assert data_of(tmp_path / "run", None) == own
    assert own.stat().st_mtime_ns == before
    assert data_of(tmp_path / "other", own) == own
    assert not (tmp_path / "other").exists()
    assert data_of(tmp_path / "run", tmp_path / "nowhere") == tmp_path / "nowhere"


def test_a_folder_that_is_not_prepared_is_named_with_the_way_out(tmp_path: Path) -> None:
    _, said = run("evaluate", "--data", by_class(tmp_path / "in", 1), status=2)
    assert f"cxr prepare {tmp_path / 'in'} -o DIR" in said
