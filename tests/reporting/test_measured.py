"""Tables of one split have its figures, and dashes for missing ones."""

from dataclasses import replace

import pytest

from cxr.model.bundle import DEFAULT_BUNDLE, Bundle
from evaluation.evaluation_file import BundleEvaluation
from evaluation.figure import Figure
from reporting import measured
from reporting.document import Table

FOUND = BundleEvaluation.read(Bundle(DEFAULT_BUNDLE)).splits["val"]


@pytest.mark.parametrize(
    "table",
    [
        measured.without_empty_columns(measured.headline(FOUND)),
        measured.by_label(FOUND),
        measured.at_prevalences(FOUND),
        measured.confusion(FOUND),
        measured.sources(FOUND),
        measured.calibration(FOUND),
        measured.without_empty_columns(measured.conformal(FOUND)),
        measured.set_sizes(FOUND),
        measured.selective(FOUND),
    ],
)
def test_tables_are_rectangular_and_full(table: Table) -> None:
    assert table.rows
    assert all(len(row) == len(table.header) for row in table.rows)
    assert measured.without_empty_columns(table) == table


def test_cells_are_the_figures() -> None:
    rows = {row[0]: row for row in measured.by_label(FOUND).rows}
    assert rows["COVID-19"][2] == str(FOUND.figures["covid19_recall"])
    assert rows["macro mean"][measured.by_label(FOUND).header.index("F1")] == str(FOUND.figures["macro_f1"])
    assert measured.headline(FOUND).rows[0][1:3] == (
        str(FOUND.figures["macro_f1"]),
        str(FOUND.figures["source_only/macro_f1"]),
    )
    source = FOUND.sources[0]
    assert measured.sources(FOUND).rows[0][:2] == (source, str(FOUND.figures[f"source/{source}/accuracy"]))


@pytest.mark.parametrize(("value", "verdict"), [(0.01, "below"), (0.03, "yes"), (0.05, "above"), (None, "–")])
def test_the_reference_interval_classifies_a_figure(value: float | None, verdict: str) -> None:
    figures = FOUND.figures | {"ece": Figure(value, 0.0, 1.0), "if_calibrated/ece": Figure(0.03, 0.02, 0.04)}
    assert measured.calibration(replace(FOUND, figures=figures)).rows[0][-1] == verdict


def test_what_was_not_measured_is_a_dash_or_a_column_less() -> None:
    older = {name: figure for name, figure in FOUND.figures.items() if "expected" not in name}
    table = measured.conformal(replace(FOUND, figures=older))
    assert [row[2] for row in table.rows] == ["–"] * 3
    assert "expected" not in measured.without_empty_columns(table).header


def test_a_source_with_one_label_is_compared_with_nothing() -> None:
    within = measured.within_sources(FOUND)
    assert within is not None
    assert [row[0] for row in within.rows] == ["cohen"]
    alone = {name: figure for name, figure in FOUND.figures.items() if not name.startswith("cohen/")}
    assert measured.within_sources(replace(FOUND, figures=alone)) is None
