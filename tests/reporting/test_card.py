"""The model that ships: its files, and a card that says what was measured and nothing else."""

import json
from dataclasses import replace
from pathlib import Path

from cxr.labels import DISCLAIMER
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle
from evaluation.evaluation_file import BundleEvaluation
from reporting.card import write_card

SHIPPED = Bundle(DEFAULT_BUNDLE)


def test_the_weights_are_the_ones_described_and_small_enough_to_ship() -> None:
    sizes = [len(SHIPPED.read_weights(member)) for member in SHIPPED.manifest.members]
    assert sum(sizes) <= 24 * 1024 * 1024


def test_the_card_that_ships_is_the_one_its_figures_make(tmp_path: Path) -> None:
    for name in ("bundle.json", "evaluation.json"):
        (tmp_path / name).write_text((DEFAULT_BUNDLE / name).read_text())
    evaluation = BundleEvaluation.read(Bundle(tmp_path))
    evaluation.write()
    made = write_card(evaluation).read_text()
    assert made == (DEFAULT_BUNDLE / "MODEL_CARD.md").read_text()
    assert (tmp_path / "evaluation.json").read_text() == (DEFAULT_BUNDLE / "evaluation.json").read_text()


def test_the_evaluation_that_ships_is_of_this_bundle_and_both_splits() -> None:
    evaluation = BundleEvaluation.read(SHIPPED)
    assert set(evaluation.splits) == {"val", "test"}
    for found in evaluation.splits.values():
        assert (found.bundle, found.version) == (SHIPPED.manifest.name, SHIPPED.manifest.version)
        assert sum(map(sum, found.confusion)) == found.images
    assert {parity.precision for parity in evaluation.parity} == {"float32", "float16"}
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
    manifest = json.loads((tmp_path / "bundle.json").read_text()) | {"lungs": None}
    (tmp_path / "bundle.json").write_text(json.dumps(manifest))
    assert BundleEvaluation.read(Bundle(tmp_path)).splits == BundleEvaluation.read(SHIPPED).splits


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
    assert "4,321 images" in card
    assert "| macro-F1 | – |" in card  # no interval, no figure
    assert "## Validation split" not in card
    assert json.loads((tmp_path / "evaluation.json").read_text())["splits"]["test"]["images"] == 4321
