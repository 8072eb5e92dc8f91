"""study.json: what is written is read back."""

from pathlib import Path

import pytest

from cxr.errors import DataError
from cxr.labels import LABELS
from evaluation.figure import Figure
from study.tables import (
    Correlation,
    ExplainingMember,
    MeasuredScores,
    PaperScores,
    RunRow,
    SeedRow,
    SeedScores,
    Snapshot,
    SnapshotRow,
    Spread,
    StudyResult,
    TableRow,
    Tables,
)

LAST = Snapshot("vgg19", 20)
SOME = Figure(0.5, 0.4, 0.6)
SCORES = MeasuredScores(SOME, SOME, Figure(None, None, None))


def result() -> StudyResult:
    """A result with every kind of row once; the tests of reports use it too."""
    row = TableRow(
        name="vgg19",
        kind="snapshot",
        networks=("vgg19",),
        sampling="natural",
        rule="scpa",
        members=(LAST,),
        temperature=1.5,
        macro=SCORES,
        by_label=dict.fromkeys(LABELS, SCORES),
        accuracy=SOME,
        log_loss=SOME,
        confusion=((3, 0, 1), (0, 2, 0), (1, 0, 4)),
        paper=PaperScores(recall=0.9, source="its table III"),
    )
    spread = SeedScores(*[Spread((0.5, 0.6, 0.7), 0.6, 0.1, 0.35, 0.85)] * 3)
    seeds = SeedRow("vgg19", ("vgg19",), "natural", "scpa", (0, 1, 2), spread, dict.fromkeys(LABELS, spread))
    run = RunRow("vgg19", "vgg19", "clahe-1", 224, "natural", 0, 200, 20, 0.1, dict.fromkeys(LABELS, 1004), 12.5)
    return StudyResult(
        version=1,
        table_sha256="0" * 64,
        runs=(run,),
        snapshots=(SnapshotRow(LAST, "vgg19", "natural", None, 3.1, 2.0, 0.4, 1.5, 0.3, 0.8),),
        correlations=(Correlation("alpha", "all", 20, SOME),),
        explainer=ExplainingMember(LAST, "the only one", {"alpha": LAST}),
        select=Tables("select", 11, 10, 2000, (row,), (), row, (seeds,)),
    )


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    result().write(tmp_path / "study.json")
    assert StudyResult.read(tmp_path / "study.json") == result()


@pytest.mark.parametrize("content", [b"", b"{}", b'{"version": 2}'])
def test_another_file_is_a_named_error(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        StudyResult.read(tmp_path / "none.json")
    (tmp_path / "study.json").write_bytes(content)
    with pytest.raises(DataError, match="not a study's result"):
        StudyResult.read(tmp_path / "study.json")


def test_a_snapshot_is_named_as_a_bundle_names_it() -> None:
    assert str(Snapshot("densenet161", 7)) == "densenet161-c07"


def test_nothing_to_measure_is_a_dash() -> None:
    assert str(Figure.of(float("nan"), 0.1, 0.2)) == "–"
    assert str(Figure.of(0.12345, 0.1, 0.2)) == "0.123 [0.100, 0.200]"
