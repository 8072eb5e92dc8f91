"""The folder of a result: created once, resumed with the same parameters, counted at the end."""

from dataclasses import replace
from pathlib import Path

import pytest
from pyarrow import parquet

from archive.output import CHUNK, MANIFEST, Made, Output
from archive.parquet import table, write
from archive.rows import row
from cxr.errors import DataError
from tests.findings import make_finding

MADE = Made("b", "1", "0" * 64, "local", str(CHUNK), "s")


@pytest.fixture
def sources(tmp_path: Path) -> list[str]:
    (tmp_path / "list").write_text("\n".join(f"{i}.png" for i in range(2 * CHUNK + 1)))
    return [f"@{tmp_path / 'list'}"]


def test_the_folder_is_created_once(tmp_path: Path, sources: list[str]) -> None:
    output = Output.begun(tmp_path / "o.parquet", MADE, sources)
    assert (output.rows, output.chunks(), output.done()) == (2 * CHUNK + 1, [0, 1, 2], 0)
    assert output.paths().to_pylist()[::CHUNK] == ["0.png", f"{CHUNK}.png", f"{2 * CHUNK}.png"]
    fill(output, 1)
    (tmp_path / "list").unlink()  # the list is not made again
    again = Output.begun(tmp_path / "o.parquet", MADE, sources)
    assert (again, again.chunks(), again.done()) == (output, [0, 2], CHUNK)
    assert parquet.read_schema(output.part(1)).metadata[b"cxr.version"] == b"1"


@pytest.mark.parametrize("change", [{"sha256": "1" * 64}, {"engine": "ray"}, {"sources": "t"}])
def test_another_run_cannot_resume_it(tmp_path: Path, sources: list[str], change: dict[str, str]) -> None:
    Output.begun(tmp_path / "o.parquet", MADE, sources)
    with pytest.raises(DataError, match=next(iter(change))):
        Output.begun(tmp_path / "o.parquet", replace(MADE, **change), sources)


def test_a_folder_that_is_not_a_result_is_unchanged(tmp_path: Path, sources: list[str]) -> None:
    for path in (tmp_path, tmp_path / "list"):
        with pytest.raises(DataError, match="is not a result"):
            Output.begun(path, MADE, sources)


def test_empty_sources_are_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(DataError, match="no file"):
        Output.begun(tmp_path / "o.parquet", MADE, [str(tmp_path / "in")])
    assert not (tmp_path / "o.parquet").exists()


def test_a_file_that_a_killed_run_left_half_written_is_no_obstacle(tmp_path: Path, sources: list[str]) -> None:
    output = Output.begun(tmp_path / "o.parquet", MADE, sources)
    fill(output, 0)
    whole = output.part(0).read_bytes()
    for name, data in [("half.parquet", whole[: len(whole) // 2]), ("empty.parquet", b"")]:
        (output.folder / name).write_bytes(data)
    assert output.done() == CHUNK
    (output.folder / "half.parquet").write_bytes(whole)
    assert output.done() == 2 * CHUNK


def test_rows_are_counted_and_none_is_missing_or_doubled(tmp_path: Path, sources: list[str]) -> None:
    output = Output.begun(tmp_path / "o.parquet", MADE, sources)
    for chunk in (0, 1):
        fill(output, chunk)
    with pytest.raises(DataError, match="513"):
        output.errors()
    fill(output, 2)
    assert output.errors() == {"unreadable": output.rows}
    fill(output, 2, "part-twice.parquet")
    with pytest.raises(DataError, match="514 rows of 513 files"):
        output.errors()


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(AttributeError):
        write(tmp_path / "a.parquet", "no table")
    assert list(tmp_path.iterdir()) == []


def test_the_manifest_is_not_a_part(tmp_path: Path, sources: list[str]) -> None:
    output = Output.begun(tmp_path / "o.parquet", MADE, sources)
    fill(output, 0)
    assert (output.folder / MANIFEST).exists()
    assert parquet.read_table(output.folder).num_rows == CHUNK


def fill(output: Output, chunk: int, name: str | None = None) -> None:
    paths = output.paths().slice(chunk * CHUNK, CHUNK).to_pylist()
    rows = [row(lambda _: make_finding(), path) for path in paths]
    write(output.folder / name if name else output.part(chunk), table(rows, MADE.metadata()))
