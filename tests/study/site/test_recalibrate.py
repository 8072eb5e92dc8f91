"""Recalibration: it corrects coverage, keeps labels without images, and writes a bundle that names its site."""

from pathlib import Path

import numpy as np
import pytest

from cxr.arrays import Floats, Ints
from cxr.labels import LABELS
from cxr.model.bundle import Bundle, Site
from cxr.model.posterior import combine
from study.site.recalibrate import FOLDS, Fitted, Shipped, cross_fitted, fit, references, write_bundle

SHIPPED = Shipped("scpa", 0.3, 0.9, {"normal": 0.2, "pneumonia": 0.6, "covid19": 0.2})


def answers(count: int, seed: int = 0, labels: tuple[int, ...] = (0, 2)) -> tuple[Floats, Ints]:
    """Logits [1, N, 3] of a network that is mostly right, and labels."""
    rng = np.random.default_rng(seed)
    true = rng.choice(labels, count)
    logits = rng.normal(0, 1, (1, count, len(LABELS)))
    logits[0, np.arange(count), true] += 1.0
    return logits, true.astype(np.int64)


def test_coverage_holds_on_images_that_fitted_nothing() -> None:
    logits, labels = answers(300)
    fitted = fit(logits, labels, SHIPPED)
    others, true = answers(5000, seed=1)
    in_set = fitted.in_set(combine(others, fitted.temperature, "scpa"))
    before = Fitted(SHIPPED.temperature, dict(SHIPPED.thresholds), ()).in_set(combine(others, 0.3, "scpa"))
    for index in (0, 2):
        assert before[true == index, index].mean() < 0.7
        assert in_set[true == index, index].mean() == pytest.approx(0.9, abs=0.05)
    assert fitted.temperature > 0.5  # the network is over-confident


def test_a_label_without_images_stays_in_as_many_sets() -> None:
    logits, labels = answers(300)
    fitted = fit(logits, labels, SHIPPED)
    assert fitted.kept == ("pneumonia",)
    before = (1 - combine(logits, 0.3, "scpa")[:, 1] <= 0.6).mean()
    after = fitted.in_set(combine(logits, fitted.temperature, "scpa"))[:, 1].mean()
    assert after == pytest.approx(before, abs=1 / 300)
    never = Shipped("scpa", 0.3, 0.9, {"normal": 0.2, "pneumonia": 0.0, "covid19": 0.2})
    assert fit(logits, labels, never).thresholds["pneumonia"] == 0.0


def test_cross_fitting_judges_no_image_by_itself_nor_by_its_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, labels = answers(100)
    patients = [f"p{index // 2}" for index in range(100)]
    seen: list[int] = []

    def counted(some: Floats, true: Ints, shipped: Shipped) -> Fitted:
        seen.append(len(true))
        return fit(some, true, shipped)

    monkeypatch.setattr("study.site.recalibrate.fit", counted)
    posterior, in_set = cross_fitted(logits, labels, patients, SHIPPED)
    assert len(seen) == FOLDS
    assert sum(100 - count for count in seen) == 100
    assert all(count % 2 == 0 for count in seen)
    assert posterior.sum(axis=1) == pytest.approx(np.ones(100))
    assert in_set.any(axis=1).all()


def test_a_reference_never_has_a_deviation_of_nothing() -> None:
    found = references({"no_lungs": np.zeros(50), "mean_grey": np.arange(50.0), "gate_score": np.full(50, np.nan)})
    assert set(found) == {"no_lungs", "mean_grey"}
    assert found["no_lungs"].deviation > 0
    assert found["mean_grey"].mean == 24.5


def test_the_bundle_has_the_same_weights_and_says_where_it_comes_from(bundle: Bundle, tmp_path: Path) -> None:
    site = Site(
        name="lakeside",
        images={"normal": 70, "pneumonia": 0, "covid19": 130},
        base="random 0",
        base_sha256=bundle.sha256,
        labels_sha256="1" * 64,
        kept=("pneumonia",),
        reference=references({"mean_grey": np.arange(9.0)}),
    )
    fitted = Fitted(1.25, {"normal": 0.9, "pneumonia": 0.8, "covid19": 0.7}, ("pneumonia",))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "left over").write_text("")
    written = write_bundle(bundle, site, fitted, tmp_path / "out")
    manifest = written.manifest
    assert manifest.site == site
    assert (manifest.version, manifest.temperature) == ("0-lakeside", 1.25)
    assert manifest.conformal.thresholds == fitted.thresholds
    assert manifest.calibrated_on == "images of lakeside: 70 normal, 0 pneumonia, 130 covid19"
    assert [member.sha256 for member in manifest.members] == [member.sha256 for member in bundle.manifest.members]
    assert written.read_onnx(manifest.members[0], "float32")
    assert not (written.root / "left over").exists()
