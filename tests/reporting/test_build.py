"""The whole report: it has all known figures, and lists what is missing."""

from dataclasses import replace
from pathlib import Path

import pytest

from cxr.labels import DISCLAIMER
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle
from evaluation.checks import Check
from evaluation.evaluation_file import BundleEvaluation
from evaluation.figure import Figure
from evaluation.gate import GateCheck
from evaluation.table_facts import TableFacts
from reporting.build import report, runs_below
from reporting.document import Document
from reporting.html import html
from reporting.markdown import markdown
from study.tables import LeftOutRow, OnSource
from tests.reporting.undrawn import not_drawn
from tests.study.test_tables import result
from training.config import TrainConfig
from training.rundir import RunDir

SHIPPED = BundleEvaluation.read(Bundle(DEFAULT_BUNDLE))
SOME = Figure(0.5, 0.4, 0.6)
CHECKS = (
    Check(
        "whole",
        "all",
        20,
        dict.fromkeys(("macro_f1", "accuracy", "normal_recall", "pneumonia_recall", "covid19_recall"), SOME),
    ),
    Check("probe", "covid19", 12, {"accuracy": SOME, "commonest": Figure(0.25, 0.2, 0.3)}),
)
GATE = (
    GateCheck("strangers", "turned", 20, {"auroc": SOME, "let_in": Figure(0.05, 0.0, 0.1)}),
    GateCheck("source", "here", 20, {"kept_out": Figure(0.01, 0.0, 0.1)}),
    GateCheck("left out", "here", 20, {"kept_out": Figure(0.02, 0.0, 0.1)}),
    GateCheck("elsewhere", "extras", 7, {"kept_out": Figure(0.0, 0.0, 0.0)}),
)
FACTS = TableFacts(
    "0" * 64, {"val": {"normal": 7, "covid19": 8}}, {"val": 9}, {"here": {"normal": 7}}, ["a.png"], {"val": 3}
)


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    not_drawn(monkeypatch)


def titles(document: Document) -> list[str]:
    return [section.title for section in document.sections]


def test_it_begins_with_the_figures_that_matter_and_ends_with_the_terms() -> None:
    document = report(SHIPPED)
    assert document.disclaimer == DISCLAIMER
    assert titles(document)[:2] == ["At a hospital that it has not learnt from", "In short"]
    assert titles(document)[-2:] == ["Limits", "Licences"]
    text = markdown(document)
    first = SHIPPED.splits["test" if "test" in SHIPPED.splits else "val"]
    head = text[: text.index("## Networks")]
    assert str(first.figures["macro_f1"]) in head
    assert str(first.figures["source_only/macro_f1"]) in head


def test_what_is_missing_is_named() -> None:
    bare = BundleEvaluation(SHIPPED.bundle, {"val": SHIPPED.splits["val"]})
    text = markdown(report(bare))
    for missing in (
        "The test split",
        "tables I to III",
        "source probe",
        "without one of the sources",
        "The images that the gate rejects",
    ):
        assert missing in text.split("## What is not in this report")[1], missing
    assert "Test split" not in titles(report(bare))[0]
    full = replace(bare, checks=CHECKS, data=FACTS)
    rest = markdown(report(full, result())).split("## What is not in this report")[1]
    assert "tables I to III" not in rest
    assert "source probe" not in rest
    seen = OnSource(SOME, SOME, SOME)
    left_out = LeftOutRow("here", "with", "without", {"normal": 7}, seen, seen)
    study = replace(result(), select=replace(result().select, left_out=(left_out,)))
    assert "without one of the sources" not in markdown(report(full, study))


def test_the_gate_is_shown() -> None:
    text = markdown(report(replace(SHIPPED, gate=GATE)))
    assert "| rotated by 90° | 20 | 0.500 [0.400, 0.600] | 0.050 [0.000, 0.100] |" in text
    assert "| here | 20 | 0.010 [0.000, 0.100] | 0.020 [0.000, 0.100] | – |" in text
    assert "| extras | 7 | – | – | 0.000 [0.000, 0.000] |" in text
    assert "train one with" not in text


def test_checks_and_data_are_shown() -> None:
    text = markdown(report(replace(SHIPPED, checks=CHECKS, data=FACTS)))
    assert "| whole image | 20 | 0.500 [0.400, 0.600] |" in text
    assert "| COVID-19 | 12 | 0.500 [0.400, 0.600] | 0.250 [0.200, 0.300] |" in text
    assert "Lungs black: not measured." in text
    assert "Files of the same bytes are in two splits: `a.png`." in text
    assert "3 of val still have a near-duplicate in train" in text


def test_the_papers_tables_are_beside_ours() -> None:
    text = markdown(report(SHIPPED, result()))
    assert "### Table I: single networks" in text
    assert "| macro mean | 0.500 [0.400, 0.600] | 0.500 [0.400, 0.600] | – | – | 0.900 | – |" in text
    assert "0.600 ± 0.100 [0.350, 0.850]" in text
    assert "The test split has not been measured" in text
    tested = replace(result(), test=replace(result().select, part="test"), candidate_commit="a" * 40)
    text = markdown(report(SHIPPED, tested))
    assert "fixed in `aaaaaaaaaaaa`" in text
    assert "could not be chosen" not in text
    later = replace(tested, runs=(*tested.runs, replace(tested.runs[0], run="late-one")))
    assert "could not be chosen: `late-one`." in markdown(report(SHIPPED, later))


def test_runs_are_found_by_their_logs(tmp_path: Path) -> None:
    runs = {"b": "", "deeper/a": "", "no-log": "", "left-out": "there"}
    for name, source in runs.items():
        (tmp_path / name).mkdir(parents=True)
        RunDir(tmp_path / name).begin(TrainConfig(leave_out=source), "0" * 64)
        if name != "no-log":
            (tmp_path / name / "log.csv").write_text("epoch\n")
    (tmp_path / "log.csv").write_text("epoch\n")
    assert [run.path.name for run in runs_below(tmp_path)] == ["a", "b"]


def test_the_page_holds_every_section() -> None:
    document = report(replace(SHIPPED, checks=CHECKS), result())
    page = html(document)
    assert page.count("<section") == len(document.sections)
