"""`cxr gate` and `cxr hashes`: what they write, with a gate that somebody else has trained."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import app
from cxr.model.bundle import Bundle
from evaluation.evaluation_file import BundleEvaluation
from evaluation.figure import Figure
from evaluation.gate import GateCheck
from networks.gate import GateNetwork
from study.gate import GateStudy

runner = CliRunner()
CHECK = GateCheck("strangers", "turned", 1234, {"auroc": Figure(0.98, 0.97, 0.99)})


def test_the_gate_and_its_figures_are_in_the_bundle(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def examples_of(*given: Any) -> tuple[tuple[()], None]:
        asked.append(given[1:])
        return (), None

    monkeypatch.setattr("cli.output.out.width", 160)
    monkeypatch.setattr("study.gate.examples_of", examples_of)
    monkeypatch.setattr("study.gate.study_gate", lambda *_: GateStudy(GateNetwork().eval(), 0.4321, (CHECK,)))
    done = runner.invoke(app, ["gate", str(copy), "--data", str(tmp_path), "--seed", "7"])
    assert done.exit_code == 0, done.output
    assert asked == [(tmp_path, 7)]
    gate = Bundle(copy).manifest.gate
    assert gate is not None
    assert gate.threshold == 0.4321
    assert BundleEvaluation.read(Bundle(copy)).gate == (CHECK,)
    assert "threshold 0.432" in done.output
    assert "auroc 0.980 [0.970, 0.990]" in done.output
    assert "1,234" in done.output
    assert f"cxr export {copy}" in done.output.replace("\n", "")


def test_hashes_are_of_the_data_that_is_named(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("study.site.copies.install_hashes", lambda bundle, data: asked.append((bundle.root, data)))
    done = runner.invoke(app, ["hashes", str(copy), "--data", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert asked == [(copy, tmp_path)]
