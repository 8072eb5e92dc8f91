"""`cxr marks` from a folder with boxes to the bundle's card, report and statement."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import app
from cxr.model.bundle import Bundle
from cxr.report.explanation import METHODS
from evaluation.evaluation_file import BundleEvaluation
from tests.attribution.networks import coarse
from tests.evaluation.maps.boxed import write_boxed

runner = CliRunner()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two validation images with a box, one without."""
    monkeypatch.setattr("training.data.DEFAULT_CACHE", tmp_path / "cache")
    coarse(monkeypatch)
    (tmp_path / "data").mkdir()
    return write_boxed(tmp_path / "data", 2, normals=1)


def test_figures_join_the_bundle_its_card_and_its_report(copy: Path, folder: Path) -> None:
    done = runner.invoke(app, ["marks", "--slow", "2", "--bundle", str(copy), "--data", str(folder)])
    assert done.exit_code == 0, done.output
    told = Bundle(copy).manifest.pointing
    assert told is not None
    assert (told.split, told.source, told.images, set(told.hits)) == ("val", "siim", 2, set(METHODS))
    marks = BundleEvaluation.read(Bundle(copy)).marks
    assert [one.network for one in marks] == [member.name for member in Bundle(copy).manifest.members]
    assert "| Integrated gradients |" in done.output
    assert "| Occlusion |" in (copy / "MODEL_CARD.md").read_text()
    assert "radiologists marked?" in (copy / "report.html").read_text()


def test_without_boxes_nothing_is_written(copy: Path, folder: Path) -> None:
    (folder / "boxes.csv").unlink()
    before = (copy / "bundle.json").read_bytes()
    done = runner.invoke(app, ["marks", "--bundle", str(copy), "--data", str(folder)])
    assert done.exit_code == 1
    assert (copy / "bundle.json").read_bytes() == before
