"""`cxr site` from a folder of DICOM files and a CSV to the report and the bundle, in one command."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cli import app
from cli.site import _name
from cxr.model.bundle import Bundle
from cxr.pipeline import Classifier
from study.site.acceptance import ADAPTER
from tests import files
from tests.study.site.test_acceptance import folder_of

runner = CliRunner()
LABELS = ("Normal", "COVID-19")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """104 radiographs of noise, in two folders, and their table beside them."""
    rng = np.random.default_rng(0)
    lines = ["File,Finding,PatientID"]
    for number in range(104):
        name = f"study{number % 2}/IM{number:03}.dcm"
        path = tmp_path / "Lakeside West" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files.synthetic_dicom(rng.integers(0, 4096, (72, 80)).astype(np.uint16)))
        lines.append(f"{name},{LABELS[number % 2]},p{number // 2}")
    lines.append("study0/IM999.dcm,Normal,p99")  # this file does not exist
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    return tmp_path / "Lakeside West"


@pytest.mark.slow
def test_from_a_folder_to_a_bundle_that_names_the_site(
    bundle: Bundle, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("evaluation.evaluate", "study.site.acceptance"):
        monkeypatch.setattr(f"{module}.RESAMPLES", 40)
    out = tmp_path / "out"
    command = ["site", str(folder), "--labels", str(tmp_path / "labels.csv"), "-o", str(out), "--cases", "1"]
    done = runner.invoke(app, [*command, "--bundle", str(bundle.root)])
    assert done.exit_code == 0, done.output
    assert "30 more images needed" in done.output  # of pneumonia
    assert "left out: 1 × the file is missing" in done.output
    found = ADAPTER.validate_json((out / "site.json").read_bytes())
    assert found.counts == {"normal": 52, "pneumonia": 0, "covid19": 52}
    page = (out / "report.html").read_text()
    assert "May it be used here, and for what?" in page
    assert page.count("data:image/png") == 1
    recalibrated = Bundle(out / "bundle")
    assert recalibrated.manifest.site is not None
    assert recalibrated.manifest.site.name == "lakeside-west"
    Classifier(recalibrated).classify(files.radiograph_png())


def test_too_few_images_make_a_report_and_no_bundle(bundle: Bundle, tmp_path: Path) -> None:
    site, out = folder_of(tmp_path / "Lakeside West", ["normal", "covid19", "pneumonia"]), tmp_path / "out"
    command = ["site", str(site), "--labels", str(site / "labels.csv"), "-o", str(out), "--cases", "0"]
    done = runner.invoke(app, [*command, "--bundle", str(bundle.root)])
    assert done.exit_code == 0, done.output
    assert "97 more images needed" in done.output
    found = ADAPTER.validate_json((out / "site.json").read_bytes())
    assert (found.site, found.fitted) == ("lakeside-west", None)
    assert "no bundle was written" in (out / "report.html").read_text()
    assert {path.name for path in out.iterdir()} == {"report.html", "site.json"}


@pytest.mark.parametrize(("folder", "expected"), [("Ward 7/", "ward-7"), ("_.-", "site"), ("x" * 99, "x" * 32)])
def test_a_site_is_called_as_its_folder(folder: str, expected: str) -> None:
    assert _name(Path(folder)) == expected


def test_what_the_user_can_mend_is_one_line(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("name,finding\na.png,normal")
    command = ["site", str(tmp_path), "--labels", str(tmp_path / "labels.csv"), "-o", str(tmp_path / "out")]
    done = runner.invoke(app, [*command, "--bundle", str(bundle.root)])
    assert done.exit_code == 2
    assert "has no column file" in done.output
    (tmp_path / "labels.csv").write_text("file,finding\na.png,normal")
    done = runner.invoke(app, [*command, "--bundle", str(bundle.root)])
    assert done.exit_code == 2
    assert "none of the table's images can be used" in done.output
    assert not (tmp_path / "out").exists()
