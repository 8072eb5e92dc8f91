"""Sources are expanded to paths: each file once, in order."""

import os
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from archive.sources import paths_of, read
from cxr.errors import BodyTooLarge, DataError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b/2.dcm", "b/c/3.png", "a.jpg", ".hidden/4.png", "b/.5.png", "x [1].png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_files_folders_and_globs(folder: Path) -> None:
    below = [str(folder / name) for name in ("a.jpg", "b/2.dcm", "b/c/3.png", "x [1].png")]
    assert list(paths_of([str(folder)])) == below
    assert list(paths_of(["a.jpg", "b", "b/2.dcm"])) == ["a.jpg", "b/2.dcm", "b/c/3.png"]
    assert list(paths_of(["b/*.dcm", "b/**/*.png"])) == ["b/2.dcm", "b/c/3.png"]
    assert list(paths_of([f"{folder}/*.jpg"])) == below[:1]
    assert list(paths_of(["x [1].png"])) == ["x [1].png"], "a file that is there is no glob"


@pytest.mark.usefixtures("folder")
def test_a_missing_file_is_listed_unchanged() -> None:
    assert list(paths_of(["none.dcm", "*.tif", "-"])) == ["none.dcm", "*.tif", "-"]


def test_a_link_to_a_missing_file_is_listed(folder: Path) -> None:
    (folder / "b" / "6.png").symlink_to("nowhere")
    assert list(paths_of(["b"])) == ["b/2.dcm", "b/6.png", "b/c/3.png"]
    assert list(paths_of(["b/*.png"])) == ["b/6.png"]


@pytest.mark.usefixtures("folder")
def test_lists_and_manifests() -> None:
    Path("list").write_text("a.jpg\n\nnone of these.png\n")
    parquet.write_table(pyarrow.table({"path": ["b/2.dcm", "a.jpg"], "size": [1, 2]}), "list.parquet")
    assert list(paths_of(["@list", "list.parquet"])) == ["a.jpg", "none of these.png", "b/2.dcm"]
    Path("many.parquet").mkdir()
    for name in ("1", "2"):
        parquet.write_table(pyarrow.table({"path": [name]}), f"many.parquet/{name}.parquet")
    assert list(paths_of(["many.parquet"])) == ["1", "2"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("source", ["@none", "@a.jpg/x", "bad.parquet", "other.parquet"])
def test_an_invalid_list_is_refused(source: str) -> None:
    Path("bad.parquet").write_bytes(b"not Parquet")
    parquet.write_table(pyarrow.table({"file": ["a"]}), "other.parquet")
    with pytest.raises(DataError):
        list(paths_of([source]))


def test_a_file_is_refused_by_its_size_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.touch()
    os.truncate(path, 2**40)
    with pytest.raises(BodyTooLarge):
        read(path)
