"""Gates against unfamiliar images: what they score, where their thresholds come from, and on whom they are measured."""

from pathlib import Path

import numpy as np
import pytest

from cxr.labels import LABELS
from cxr.model.bundle import Bundle
from cxr.model.frames import FULL, LUNGS
from evaluation import unfamiliar as module
from evaluation.bundle_images import BundleImages
from evaluation.unfamiliar import KINDS, Familiarity, Scorer, familiarity, some
from tests.bundles import framed, variant
from training.data import Row, Split, half_of_validation


def dataset(split: Split, count: int) -> BundleImages:
    """Bright above, dark below, with some noise; two sources."""
    rng = np.random.default_rng(len(split))
    ramp = np.linspace(220, 30, 64)[:, np.newaxis]
    images = (ramp + rng.normal(0, 8, (count, 64, 64))).clip(0, 255).astype(np.uint8)
    rows = (Row(f"{split}{i}.png", LABELS[i % 3], "ab"[i % 2], f"{split}{i}", split) for i in range(count))
    return BundleImages(tuple(rows), {FULL: images})


@pytest.fixture(scope="module")
def found(bundle: Bundle) -> dict[str, Familiarity]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "RESAMPLES", 20)
        return {one.of: one for one in familiarity(bundle, dataset("val", 60), dataset("train", 30))}


def test_every_kind_and_every_source_is_measured_on_the_half_that_set_no_threshold(
    found: dict[str, Familiarity],
) -> None:
    others = sum(half_of_validation(row) == "select" for row in dataset("val", 60).rows)
    assert set(found) == {"all", "a", "b", *KINDS}
    assert found["a"].images + found["b"].images == found["all"].images == others
    assert all(found[kind].images == others for kind in KINDS)


def test_what_is_upside_down_is_far_from_the_training_images(found: dict[str, Familiarity]) -> None:
    """Even random features tell bright above from bright below."""
    assert found["upside_down"].figures["neighbour/auroc"].value == 1
    assert found["upside_down"].figures["neighbour/let_in"].value == 0
    kept_out = found["all"].figures["neighbour/kept_out"].value
    assert kept_out is not None
    assert kept_out < 0.5


def test_scores_are_low_where_a_network_is_sure_and_near(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    train = dataset("train", 30)
    logits = np.array([[[8.0, 0.0, 0.0], [0.5, 0.4, 0.6]]])
    monkeypatch.setattr(module, "logits_of", lambda *_: logits)
    scores = Scorer.of(bundle, train).scores(train.where([True, True] + [False] * 28))
    for name in ("probability", "energy"):
        assert scores[name][0] < scores[name][1]
    assert scores["energy"][1] == pytest.approx(-np.log(np.exp(logits[0, 1]).sum()))
    assert (scores["neighbour"] < 0.01).all()


def test_features_are_of_what_the_explaining_member_sees(bundle: Bundle, tmp_path: Path) -> None:
    train = dataset("train", 12)
    upside_down = BundleImages(train.rows, {LUNGS: train.views[FULL][:, ::-1], FULL: train.views[FULL]})
    first, second = bundle.manifest.members
    mixed = (framed(bundle, tmp_path / one.name, LUNGS, FULL, explainer=one.name) for one in (first, second))
    of_lungs, of_all = (Scorer.of(one, upside_down).references for one in mixed)
    assert of_lungs.shape == (12, 512)
    assert np.array_equal(
        of_all, Scorer.of(variant(bundle, tmp_path / "full", explainer=second.name), train).references
    )
    assert not np.allclose(of_lungs, Scorer.of(bundle, train).references)


def test_of_a_half_without_patients_nothing_is_said(bundle: Bundle) -> None:
    data = dataset("val", 12)
    half = data.where(half_of_validation(row) == "select" for row in data.rows)
    assert familiarity(bundle, half, dataset("train", 6)) == ()


def test_some_images_are_the_same_however_they_are_ordered() -> None:
    data = dataset("val", 12)
    back = BundleImages(data.rows[::-1], {FULL: data.views[FULL][::-1]})
    assert {row.file for row in some(data, 5).rows} == {row.file for row in some(back, 5).rows}
    assert len(some(data, 5).rows) == 5
    assert len(some(data, 50).rows) == 12


def test_a_quarter_keeps_the_size() -> None:
    images = dataset("val", 2).views[FULL]
    assert all(make(images).shape == images.shape for make in KINDS.values())
    assert np.array_equal(KINDS["quarter"](images)[:, ::2, ::2], images[:, :32, :32])
