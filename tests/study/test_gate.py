"""The study of a gate: every image is scored by a gate trained without its patient; the final gate is installed."""

from pathlib import Path

import numpy as np
import pytest

from cxr.model.bundle import Bundle
from cxr.model.gate import GateKeeper
from export.to_onnx import export_bundle
from networks.gate import GateNetwork
from study import gate as module
from study.gate import install, study_gate
from tests.bundles import first_member_only
from tests.training.gate.test_learn import examples
from training.data import Row
from training.gate.examples import Examples
from training.gate.learn import logits_of


@pytest.fixture
def rows() -> tuple[Row, ...]:
    """Rows in which the first patient is in both sources."""
    return tuple(Row(f"{n}.png", "normal", "ab"[n % 2], f"p{max(n, 1)}", "train") for n in range(96))


def test_no_image_is_scored_by_a_gate_trained_on_its_patient(
    rows: tuple[Row, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt: list[set[int]] = []

    def train(some: Examples, _seed: int) -> GateNetwork:
        learnt.append(set(some.origins.tolist()))
        return GateNetwork().eval()

    monkeypatch.setattr(module, "train_gate", train)
    monkeypatch.setattr("evaluation.gate.RESAMPLES", 20)
    found = study_gate(rows, examples(), tmp_path, 0)
    assert len(learnt) == module.FOLDS + 2 + 1
    folds, without, (everything,) = learnt[: module.FOLDS], learnt[module.FOLDS : -1], learnt[-1:]
    assert set.union(*(everything - fold for fold in folds)) == everything == set(range(96))
    assert all(({0, 1} <= fold) or not {0, 1} & fold for fold in folds)
    for source, part in zip("ab", without, strict=True):
        assert not any(rows[origin].source == source for origin in part)
        assert not {0, 1} & part  # the patient's image in the other source
    assert {(check.of, check.name) for check in found.checks} == {
        ("strangers", "turned"),
        ("strangers", "negative"),
        *((of, source) for of in ("source", "left out") for source in "ab"),
    }


def test_what_is_installed_says_what_the_network_says(bundle: Bundle, tmp_path: Path) -> None:
    root = first_member_only(bundle, tmp_path / "bundle").root
    network = GateNetwork().eval()
    install(Bundle(root), module.GateStudy(network, 0.25, ()))
    export_bundle(Bundle(root))
    gate = Bundle(root).manifest.gate
    assert gate is not None
    assert gate.threshold == 0.25
    image = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)
    judgement = GateKeeper(Bundle(root), gate).judge(image)
    score = 1 / (1 + np.exp(-logits_of(network, image[np.newaxis])[0]))
    assert judgement.score == pytest.approx(score, abs=2e-2)  # weights are stored in float16
    assert judgement.verdict == ("familiar" if judgement.score >= 0.25 else "unfamiliar")
