"""Leave one source out: the pair of runs is found, and the figures are those of the source's images alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cxr.errors import DataError
from cxr.labels import LABELS
from cxr.model.posterior import combine
from study.left_out import left_out_rows
from study.selection import select
from study.study import Study
from tests.study.studies import CONFIG, make_study
from training.data import Dataset, Row

RUNS = {"whole": CONFIG, "without-there": replace(CONFIG, leave_out="there")}
ROWS = tuple(
    Row(f"{index}.png", LABELS[index % 3], source, patient, "train")
    for index, (source, patient) in enumerate([("here", "a"), ("there", "a"), ("there", "b"), ("here", "c")])
)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two runs that differ only in the source that they left out."""
    return make_study(tmp_path_factory.mktemp("left-out"), RUNS)


def test_no_patient_of_the_source_is_learnt_from() -> None:
    images = np.arange(4, dtype=np.uint8)[:, None, None]
    kept = Dataset(ROWS, images).leaving_out("there")
    assert [row.patient for row in kept.rows] == ["c"]  # patient a has images in both sources
    assert kept.images.tolist() == [[[3]]]
    assert Dataset(ROWS, images).leaving_out("").rows == ROWS


@pytest.mark.parametrize(("rows", "source"), [(ROWS, "nowhere"), (ROWS[1:3], "there")])
def test_a_source_that_is_not_there_or_is_all_there_is_cannot_be_left_out(rows: tuple[Row, ...], source: str) -> None:
    with pytest.raises(DataError, match="source"):
        Dataset(rows, np.zeros((len(rows), 1, 1), np.uint8)).leaving_out(source)


def test_a_run_that_left_a_source_out_is_compared_and_never_chosen(study: Study) -> None:
    assert list(study.runs) == ["whole"]
    found = select(study, resamples=20)
    assert {member.run for plan in found.candidate.plans for member in plan.members} == {"whole"}
    assert [(row.source, row.reference, row.run) for row in found.result.select.left_out] == [
        ("there", "whole", "without-there")
    ]


def test_figures_are_of_the_sources_images_and_the_last_snapshots(study: Study) -> None:
    part = study.part("test")
    (row,) = left_out_rows(study, part, resamples=20)
    here = [index for index, one in enumerate(part.rows) if one.source == "there"]
    labels = part.labels[here]
    assert row.images == {label: int((labels == index).sum()) for index, label in enumerate(LABELS)}
    for run, measured in ((study.runs["whole"], row.seen), (study.left_out["without-there"], row.unseen)):
        logits = np.stack([run.logits(cycle, "test")[here] for cycle in range(2, 7)])
        said = combine(logits, 1.0, "scpa")
        right = said.argmax(axis=1) == labels
        assert measured.accuracy.value == pytest.approx(right.mean(), abs=1e-4)
        assert measured.covid19_recall.value == pytest.approx(right[labels == 2].mean(), abs=1e-4)
        positive, negative = said[labels == 2, 2], said[labels != 2, 2]
        won = np.mean(positive[:, None] > negative[None, :])
        assert measured.auroc.value == pytest.approx(won, abs=1e-4)
        assert measured.accuracy.low is not None


def test_a_run_that_ended_early_is_compared_at_its_last_snapshots(tmp_path: Path) -> None:
    study = make_study(tmp_path, RUNS)
    part = study.part("test")
    for cycle in (5, 6):
        study.left_out["without-there"].archive(cycle).unlink()
    before = next(left_out_rows(study, part, resamples=20))
    for cycle in (5, 6):
        study.runs["whole"].archive(cycle).unlink()
    assert next(left_out_rows(study, part, resamples=20)) == before


def test_a_source_of_one_label_has_no_auroc_and_one_without_images_no_row(study: Study) -> None:
    part = study.part("test")
    only = replace(
        part, rows=tuple(replace(row, source="here" if row.label != "covid19" else row.source) for row in part.rows)
    )
    (row,) = left_out_rows(study, only, resamples=20)
    assert row.unseen.auroc.value is None
    assert row.unseen.covid19_recall == row.unseen.accuracy
    nowhere = replace(part, rows=tuple(replace(row, source="here") for row in part.rows))
    assert list(left_out_rows(study, nowhere, resamples=20)) == []
