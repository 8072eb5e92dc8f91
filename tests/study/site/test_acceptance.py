"""From a folder and a table to figures: copies and refused files do not count, and patients are optional."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cxr.errors import DataError
from cxr.labels import LABELS
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle
from evaluation.evaluation_file import BundleEvaluation
from evaluation.gallery import Case
from reporting.html import html
from reporting.site_report.page import site_report
from study.site.acceptance import ADAPTER, Measured, accept, provenance
from study.site.copies import install_hashes
from study.site.images import COPY, UNREADABLE, SiteImages, read_site
from tests import files
from tests.bundles import variant
from training.prepare.listed import Columns, read_listed


@pytest.fixture(autouse=True, scope="module")
def _few_resamples() -> object:
    with pytest.MonkeyPatch.context() as patch:
        for module in ("evaluation.evaluate", "study.site.acceptance"):
            patch.setattr(f"{module}.RESAMPLES", 40)
        yield


def picture(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    return files.png(rng.integers(0, 256, (70, 80)).astype(np.uint8))


def folder_of(root: Path, labels: list[str], patients: bool = True) -> Path:
    """Pictures 0.png, 1.png, … and their table."""
    root.mkdir()
    lines = ["file,finding" + (",patient" if patients else "")]
    for number, label in enumerate(labels):
        (root / f"{number}.png").write_bytes(picture(number))
        lines.append(f"{number}.png,{label}" + (f",p{number // 2}" if patients else ""))
    (root / "labels.csv").write_text("\n".join(lines))
    return root


def read(bundle: Bundle, folder: Path) -> SiteImages:
    collection = read_listed(folder, folder / "labels.csv", Columns(), "here", {}, patients=False)
    return read_site(bundle, folder, collection, "here")


def test_left_out_files_are_listed(bundle: Bundle, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "site", ["normal", "COVID-19", "effusion", "normal", "normal", "normal"])
    (folder / "3.png").write_bytes(b"no picture")
    (folder / "4.png").unlink()
    (folder / "4.png").mkdir()
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.png").write_bytes(picture(5))
    (data / "metadata.csv").write_text("file,label,patient,split\na.png,normal,p,train")
    copy = variant(bundle, tmp_path / "bundle")
    install_hashes(copy, data)
    found = read(Bundle(copy.root), folder)
    assert [row.file for row in found.rows] == ["0.png", "1.png"]
    assert found.counts == {"normal": 1, "pneumonia": 0, "covid19": 1}
    assert found.left_out[COPY] == found.copies == 1
    assert found.refused == 1
    assert found.checked
    assert found.patients
    assert found.unfamiliar.all()  # the images are noise
    assert "its finding is none of normal, pneumonia and COVID-19" in found.left_out
    assert UNREADABLE not in found.left_out  # a folder cannot be a file of the table
    (folder / "labels.csv").write_text("file,label\n3.png,normal")
    with pytest.raises(DataError, match="none of the table's images can be used"):
        read(bundle, folder)


def test_a_table_may_name_no_patients(bundle: Bundle, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "site", ["normal", "covid19"], patients=False)
    found = read(bundle, folder)
    assert not found.patients
    assert not found.checked
    assert [row.patient for row in found.rows] == ["0.png", "1.png"]


@pytest.fixture(scope="module")
def enough(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> tuple[SiteImages, Measured]:
    labels = [("normal", "covid19")[number % 2] for number in range(104)]
    images = read(bundle, folder_of(tmp_path_factory.mktemp("sites") / "enough", labels))
    return images, accept(bundle, "lakeside", images)


def test_enough_images_give_a_calibration_and_where_it_comes_from(
    bundle: Bundle, enough: tuple[SiteImages, Measured]
) -> None:
    images, tested = enough
    found = tested.acceptance
    assert found.fitted is not None
    assert found.fitted.kept == ("pneumonia",)
    assert found.recalibrated is not None
    assert found.recalibrated.figures["conformal/pneumonia/coverage"].value is None
    assert found.shipped.figures["covid19_auroc"].value is not None
    assert found.shares["unfamiliar"].value == 1.0
    assert found.uses[0].answer == "no"  # all images are noise
    site = provenance(bundle, tested, images, "1" * 64)
    assert site.images == {"normal": 52, "pneumonia": 0, "covid19": 52}
    assert set(site.reference) == {"gate_score", "top_probability", "set_size", "no_lungs", "mean_grey"}
    assert site.reference["mean_grey"].mean == pytest.approx(127.5, abs=2)
    assert ADAPTER.validate_json(ADAPTER.dump_json(found)) == found


def test_the_report_says_what_may_be_done_and_what_is_missing(
    bundle: Bundle, enough: tuple[SiteImages, Measured], tmp_path: Path
) -> None:
    page = html(site_report(enough[1].acceptance, bundle, []))
    assert "Do not use it here" in page
    assert "For pneumonia there are too few images" in page
    assert "it ships no hashes" in page
    few = accept(bundle, "here", read(bundle, folder_of(tmp_path / "few", ["normal", "covid19", "pneumonia"])))
    assert few.acceptance.fitted is None
    assert {use.answer for use in few.acceptance.uses[1:]} == {"not known"}
    page = html(site_report(few.acceptance, bundle, []))
    assert "no bundle was written" in page
    assert "<td>97</td>" in page  # of the 100 images that a temperature needs
    assert not BundleEvaluation.read(bundle).splits  # the report also works for a bundle without a card
    assert list(few.acceptance.counts) == list(LABELS)


def test_the_report_of_a_site_that_answers_everything(enough: tuple[SiteImages, Measured]) -> None:
    found, default = enough[1].acceptance, Bundle(DEFAULT_BUNDLE)
    useful = replace(
        found,
        uses=[replace(use, answer="yes") for use in found.uses],
        needs=[],
        checked=True,
        copies=3,
        gated=False,
        left_out={},
    )
    page = html(site_report(useful, default, [Case("worst", "a.png", b"picture", "Called normal.")]))
    for said in (
        "Only in research, it may be",
        "3 images that the model was trained on",
        "Yes, for every figure of this report.",
        "At a hospital that it has not learnt from",
        "The worst cases",
    ):
        assert said in page
    for unsaid in ("unfamiliar to the gate", "Left out:"):
        assert unsaid not in page
    useless = replace(
        found, uses=[replace(use, answer="no" if number else "yes") for number, use in enumerate(found.uses)]
    )
    assert "give no reason to use it here" in html(site_report(useless, default, []))
    nameless = html(site_report(replace(found, patients=False), default, []))
    assert "the table names no patients" in nameless
