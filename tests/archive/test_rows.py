"""One row for each file, even if the file crashes the process."""

from pathlib import Path

import pytest

from archive.parquet import schema, table
from archive.rows import CRASHED, INTERNAL, UNREADABLE, Row, crashed, row
from cxr.errors import LateralView
from cxr.labels import LABELS
from cxr.pipeline import Finding
from tests.findings import make_finding


def failing(error: Exception) -> Finding:
    raise error


@pytest.fixture
def path(tmp_path: Path) -> str:
    file = tmp_path / "1.png"
    file.write_bytes(b"x")
    return str(file)


def test_a_finding_is_a_row(path: str) -> None:
    made = row(lambda _: make_finding(), path)
    (back,) = table([made]).to_pylist()
    assert set(back) == set(schema().names) == set(made)
    assert [back[f"p_{label}"] for label in LABELS] == pytest.approx([0.02, 0.05, 0.93])
    assert (back["prediction"], back["prediction_set"], back["warnings"]) == ("covid19", ["covid19"], [])
    assert (back["path"], back["error"]) == (path, None)
    assert back["seconds"] > 0


@pytest.mark.parametrize(
    ("error", "code"),
    [(LateralView(), LateralView.code), (RuntimeError("a name"), INTERNAL), (OSError(), UNREADABLE)],
)
def test_an_error_is_a_row(path: str, error: Exception, code: str) -> None:
    assert_refused(row(lambda _: failing(error), path), path, code)


@pytest.mark.parametrize("path", ["/none.png", "/", "a\0b"])
def test_a_file_that_cannot_be_read_is_a_row(path: str) -> None:
    assert_refused(row(lambda _: make_finding(), path), path, UNREADABLE)


def test_a_crash_is_a_row() -> None:
    assert_refused(crashed("1.png"), "1.png", CRASHED)


def assert_refused(made: Row, path: str, code: str) -> None:
    (back,) = table([made]).to_pylist()
    assert {key: value for key, value in back.items() if value is not None and key != "seconds"} == {
        "path": path,
        "error": code,
    }
