"""The shipped model: its files, and a card that states only measured figures."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cxr.labels import DISCLAIMER
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle
from cxr.model.frames import FULL, LUNGS
from evaluation.evaluation_file import BundleEvaluation
from export.verify import Parity
from reporting.card import write_card
from tests.bundles import framed

SHIPPED = Bundle(DEFAULT_BUNDLE)


def test_the_weights_are_the_ones_described_and_small_enough_to_ship() -> None:
    sizes = [len(SHIPPED.read_weights(member)) for member in SHIPPED.manifest.members]
    assert sum(sizes) <= 48_000_000


def test_the_shipped_card_equals_the_generated_one(tmp_path: Path) -> None:
    for name in ("bundle.json", "evaluation.json"):
        (tmp_path / name).write_text((DEFAULT_BUNDLE / name).read_text())
    evaluation = BundleEvaluation.read(Bundle(tmp_path))
    evaluation.write()
    made = write_card(evaluation).read_text()
    assert made == (DEFAULT_BUNDLE / "MODEL_CARD.md").read_text()
    assert (tmp_path / "evaluation.json").read_text() == (DEFAULT_BUNDLE / "evaluation.json").read_text()


def test_the_shipped_evaluation_is_of_this_bundle_and_both_splits() -> None:
    evaluation = BundleEvaluation.read(SHIPPED)
    assert set(evaluation.splits) == {"val", "test"}
    for found in evaluation.splits.values():
        assert (found.bundle, found.version) == (SHIPPED.manifest.name, SHIPPED.manifest.version)
        assert sum(map(sum, found.confusion)) == found.images
    assert {parity.precision for parity in evaluation.parity} >= {"float32", "float16"}
    assert all(parity.holds for parity in evaluation.parity)


def test_figures_of_another_calibration_are_forgotten(tmp_path: Path) -> None:
    for name in ("bundle.json", "evaluation.json"):
        (tmp_path / name).write_text((DEFAULT_BUNDLE / name).read_text())
    assert BundleEvaluation.read(Bundle(tmp_path)).splits
    manifest = json.loads((tmp_path / "bundle.json").read_text()) | {"temperature": 1.5}
    (tmp_path / "bundle.json").write_text(json.dumps(manifest))
    evaluation = BundleEvaluation.read(Bundle(tmp_path))
    assert not evaluation.splits
    assert not evaluation.parity


def test_figures_outlive_what_changes_no_answer(tmp_path: Path) -> None:
    for name in ("bundle.json", "evaluation.json"):
        (tmp_path / name).write_text((DEFAULT_BUNDLE / name).read_text())
    manifest = json.loads((tmp_path / "bundle.json").read_text())
    manifest["explainer"] = next(one["name"] for one in manifest["members"] if one["name"] != manifest["explainer"])
    (tmp_path / "bundle.json").write_text(json.dumps(manifest))
    assert BundleEvaluation.read(Bundle(tmp_path)).splits == BundleEvaluation.read(SHIPPED).splits


@pytest.mark.parametrize(
    ("changes", "are_kept"),
    [
        ({"schema_version": 1}, True),
        ({"schema_version": 1, "frame": "full-1"}, True),
        ({"schema_version": 1, "frame": "lungs-1"}, False),
    ],
    ids=str,
)
def test_figures_are_of_the_frames_that_the_members_see(
    bundle: Bundle, tmp_path: Path, changes: dict[str, object], are_kept: bool
) -> None:
    one = framed(bundle, tmp_path / "bundle", FULL, FULL)
    BundleEvaluation(one, {"val": BundleEvaluation.read(SHIPPED).splits["val"]}).write()
    manifest = json.loads((one.root / "bundle.json").read_text()) | changes
    for member in manifest["members"]:
        del member["frame"], member["opacity_head"]  # the frame as in schema 1
    (one.root / "bundle.json").write_text(json.dumps(manifest))
    assert bool(BundleEvaluation.read(Bundle(one.root)).splits) == are_kept


def test_figures_of_networks_that_see_the_lungs_are_of_one_segmenter(bundle: Bundle, tmp_path: Path) -> None:
    split = BundleEvaluation.read(SHIPPED).splits["val"]
    other = Bundle(DEFAULT_BUNDLE).manifest.lungs
    assert other is not None
    changed = other.model_copy(update={"sha256": "0" * 64}).model_dump(mode="json")
    for name, frame, are_kept in (("lungs", LUNGS, False), ("full", FULL, True)):
        one = framed(bundle, tmp_path / name, FULL, frame)
        BundleEvaluation(one, {"val": split}).write()
        manifest = json.loads((one.root / "bundle.json").read_text()) | {"lungs": changed}
        (one.root / "bundle.json").write_text(json.dumps(manifest))
        assert bool(BundleEvaluation.read(Bundle(one.root)).splits) == are_kept


def test_a_card_says_what_each_member_sees_and_what_calibrated_them(bundle: Bundle, tmp_path: Path) -> None:
    mixed = framed(bundle, tmp_path / "bundle", LUNGS, FULL, calibrated_on="the images of other hospitals")
    parity = Parity("resnet18-0", "float32", 8, 1e-6, 1e-7, (), max_opacity=2e-6)
    card = write_card(BundleEvaluation(mixed, {}, (parity,))).read_text()
    assert "| resnet18-0 | resnet18 | lungs-1 |" in card
    assert "| vgg16-bn-1 | vgg16_bn | full-1 |" in card
    assert "thresholds were fitted on the images of other hospitals." in card
    assert "| resnet18-0 | float32 | 8 | 1.0e-06 | 1.0e-07 | 2.0e-06 | none |" in card


def test_a_card_begins_with_the_papers_claim_and_what_holds_of_it() -> None:
    first = (DEFAULT_BUNDLE / "MODEL_CARD.md").read_text().split("\n## ")[1].splitlines()
    claim, inside, outside = (line for line in first if line.startswith("- "))
    test = BundleEvaluation.read(SHIPPED).splits["test"].figures
    assert "macro-F1 of 0.945" in claim
    assert f"macro-F1 {test['macro_f1']}, COVID-19 precision {test['covid19_ppv']}" in inside
    assert "at `siim` (COVID-19 against normal)" in outside


def test_terms_are_those_of_the_table(tmp_path: Path) -> None:
    manifest = json.loads((DEFAULT_BUNDLE / "bundle.json").read_text()) | {"training_manifest_sha256": "0" * 64}
    (tmp_path / "bundle.json").write_text(json.dumps(manifest))
    card = write_card(BundleEvaluation.read(Bundle(tmp_path))).read_text()
    assert "RSNA" not in card
    assert "RSNA" in (DEFAULT_BUNDLE / "MODEL_CARD.md").read_text()


def test_a_card_shows_the_figures_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_text((DEFAULT_BUNDLE / "bundle.json").read_text())
    evaluation = BundleEvaluation.read(Bundle(tmp_path))
    shipped = BundleEvaluation.read(SHIPPED).splits["test"]
    macro_f1 = replace(shipped.figures["macro_f1"], value=0.1234, low=None)
    evaluation = evaluation.with_split(replace(shipped, images=4321, figures=shipped.figures | {"macro_f1": macro_f1}))
    evaluation.write()
    card = write_card(evaluation).read_text()
    assert DISCLAIMER in card
    assert "(test split, 4,321 images of other patients)" in card
    assert "| macro-F1 | – |" in card  # a value without an interval is not shown
    assert "## Validation split" not in card
    assert json.loads((tmp_path / "evaluation.json").read_text())["splits"]["test"]["images"] == 4321
