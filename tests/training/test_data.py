"""The table and its images: refusals with names, and the cache of prepared images."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cxr.decode import decode
from cxr.errors import DataError
from cxr.model.frames import LUNGS
from cxr.model.preprocess import preprocess
from tests import files
from tests.cxr.anatomy.test_zones import lungs_mask
from training import data
from training.data import Dataset, Row, half_of_validation, load, read_table, table_sha256

HEADER = ("file", "label", "patient", "split", "source")
ROWS = [
    ("a.png", "normal", "p1", "train", "here"),
    ("b.png", "covid19", "p2", "val", "there"),
    ("c.png", "pneumonia", "p2", "val", ""),
    ("d.png", "normal", "p3", "test", "here"),
]


def write(folder: Path, rows: Sequence[Sequence[str]] = ROWS, header: Sequence[str] = HEADER) -> Path:
    with (folder / "metadata.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows([header, *rows])
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four small images and their table."""
    for index, row in enumerate(ROWS):
        pixels = np.random.default_rng(index).integers(0, 256, (80, 100), dtype=np.uint8)
        (tmp_path / row[0]).write_bytes(files.png(pixels))
    return write(tmp_path)


def test_rows_are_read_as_they_are_written(folder: Path) -> None:
    assert read_table(folder) == (
        Row("a.png", "normal", "here", "p1", "train"),
        Row("b.png", "covid19", "there", "p2", "val"),
        Row("c.png", "pneumonia", "unknown", "p2", "val"),
        Row("d.png", "normal", "here", "p3", "test"),
    )


def test_source_and_further_columns_are_free(tmp_path: Path) -> None:
    header = ("split", "licence", "label", "patient", "file")
    write(tmp_path, [("train", "CC0", "normal", "p1", "x.png")], header)
    assert read_table(tmp_path) == (Row("x.png", "normal", "unknown", "p1", "train"),)


def test_a_table_saved_by_a_spreadsheet_is_read(tmp_path: Path) -> None:
    write(tmp_path)
    path = tmp_path / "metadata.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read_table(tmp_path)) == 4


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("e.png", "flu", "p9", "train", ""), "line 6: unknown label or split"),
        (("e.png", "Normal", "p9", "train", ""), "line 6: unknown label or split"),
        (("e.png", "normal", "p9", "dev", ""), "line 6: unknown label or split"),
        (("e.png", "normal", "p9"), "line 6: unknown label or split"),
        (("", "normal", "p9", "train", ""), "line 6: file or patient is empty"),
        (("e.png", "normal", "", "train", ""), "line 6: file or patient is empty"),
        (("e.png", "normal", "p2", "train", ""), "patient p2 is in two splits"),
        (("e.png", "normal", "p1", "test", ""), "patient p1 is in two splits"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, row: tuple[str, ...], message: str) -> None:
    write(tmp_path, [*ROWS, row])
    with pytest.raises(DataError, match=message) as caught:
        read_table(tmp_path)
    assert str(tmp_path / "metadata.csv") in str(caught.value)


@pytest.mark.parametrize("column", ["file", "label", "patient", "split"])
def test_a_missing_column_is_named(tmp_path: Path, column: str) -> None:
    index = HEADER.index(column)
    write(tmp_path, [row[:index] + row[index + 1 :] for row in ROWS], HEADER[:index] + HEADER[index + 1 :])
    with pytest.raises(DataError, match=f"column {column} is missing"):
        read_table(tmp_path)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\0f\0i\0l\0e\n"], ids=["missing", "UTF-16"])
def test_a_table_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "metadata.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"metadata\.csv cannot be read"):
        read_table(tmp_path)


def test_the_tables_hash_is_that_of_its_bytes(folder: Path) -> None:
    before = table_sha256(folder)
    assert len(before) == 64
    with (folder / "metadata.csv").open("a") as handle:
        handle.write("e.png,normal,p9,train,\n")
    assert table_sha256(folder) != before


# --- Images


def test_a_split_is_loaded_in_the_tables_order(folder: Path, tmp_path: Path) -> None:
    loaded = load(folder, "val", "clahe-1", 32, tmp_path / "cache")
    assert [row.file for row in loaded.rows] == ["b.png", "c.png"]
    assert loaded.labels.tolist() == [2, 1]
    for row, image in zip(loaded.rows, loaded.images, strict=True):
        expected = preprocess(decode((folder / row.file).read_bytes()).pixels, "clahe-1", 32)
        assert np.array_equal(image, expected)


def test_images_are_prepared_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    first = load(folder, "val", "clahe-1", 32, cache)
    monkeypatch.setattr(data, "decode", lambda _: pytest.fail("prepared again"))
    again = load(folder, "val", "clahe-1", 32, cache)
    assert np.array_equal(again.images, first.images)
    assert again.rows == first.rows
    assert [path.suffixes for path in cache.iterdir()] == [[".npy"]]


def test_processes_that_start_together_prepare_beside_each_other(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torchrun starts one process per GPU, and all of them find an empty cache."""
    cache, save = tmp_path / "cache", np.save

    def late(file: Path, images: NDArray[np.uint8]) -> None:
        monkeypatch.setattr(np, "save", save)
        save(file, images)
        with monkeypatch.context() as other:  # another process begins and ends before this one renames its file
            other.setattr(os, "getpid", lambda: 1)
            load(folder, "val", "clahe-1", 32, cache)

    monkeypatch.setattr(np, "save", late)
    loaded = load(folder, "val", "clahe-1", 32, cache)
    assert len(loaded.images) == 2
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize("change", ["recipe", "size", "split", "content", "time", "order"])
def test_whatever_changes_the_images_prepares_them_again(folder: Path, tmp_path: Path, change: str) -> None:
    cache = tmp_path / "cache"
    load(folder, "val", "clahe-1", 32, cache)
    image = folder / "b.png"
    if change == "content":
        image.write_bytes(files.png(np.tile(np.arange(70, dtype=np.uint8), (70, 1))))
    elif change == "time":
        os.utime(image, ns=(0, 0))
    elif change == "order":
        write(folder, [ROWS[2], ROWS[1]])
    recipe, size = "paper-1" if change == "recipe" else "clahe-1", 48 if change == "size" else 32
    loaded = load(folder, "train" if change == "split" else "val", recipe, size, cache)
    assert len(list(cache.iterdir())) == 2
    for row, prepared in zip(loaded.rows, loaded.images, strict=True):
        expected = preprocess(decode((folder / row.file).read_bytes()).pixels, recipe, size)
        assert np.array_equal(prepared, expected)


def test_a_lung_frame_is_cut_by_the_masks_that_are_given(folder: Path, tmp_path: Path) -> None:
    masks = {"b.png": lungs_mask(), "c.png": np.zeros((128, 128), bool)}
    loaded = load(folder, "val", "clahe-1", 32, tmp_path / "cache", LUNGS, masks)
    for row, image in zip(loaded.rows, loaded.images, strict=True):
        pixels = decode((folder / row.file).read_bytes()).pixels
        assert np.array_equal(image, preprocess(pixels, "clahe-1", 32, LUNGS, masks[row.file]))
    full = load(folder, "val", "clahe-1", 32, tmp_path / "cache")
    assert np.array_equal(loaded.images[1], full.images[1]), "without lungs it is the full frame"
    assert not np.array_equal(loaded.images[0], full.images[0])


def test_other_masks_prepare_the_images_again(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    masks = dict.fromkeys(("b.png", "c.png"), lungs_mask())
    first = load(folder, "val", "clahe-1", 32, cache, LUNGS, masks)
    again = load(folder, "val", "clahe-1", 32, cache, LUNGS, masks | {"c.png": lungs_mask()[:, ::-1]})
    assert len(list(cache.iterdir())) == 2
    assert not np.array_equal(first.images[1], again.images[1])


@pytest.mark.parametrize("masks", [None, {"b.png": np.ones((8, 8), bool)}])
def test_a_lung_frame_without_masks_says_how_to_make_them(
    folder: Path, tmp_path: Path, masks: dict[str, np.ndarray] | None
) -> None:
    with pytest.raises(DataError, match=r"training\.lungs\.mask_file"):
        load(folder, "val", "clahe-1", 32, tmp_path / "cache", LUNGS, masks)


def test_all_images_that_cannot_be_used_are_named(folder: Path, tmp_path: Path) -> None:
    (folder / "a.png").write_bytes(files.text_file())
    (folder / "e.png").write_bytes(files.png(np.zeros((20, 20), np.uint8)))
    (folder / "f.png").write_bytes(files.truncated_png())
    (folder / "g.png").write_bytes((folder / "d.png").read_bytes())
    write(folder, [ROWS[0], *((f"{name}.png", "normal", "p1", "train", "") for name in "efg")])
    with pytest.raises(DataError, match="cannot be decoded") as caught:
        load(folder, "train", "clahe-1", 32, tmp_path / "cache")
    named = [name for name in "aefg" if str(folder / f"{name}.png") in str(caught.value)]
    assert named == ["a", "e", "f"]
    assert not list((tmp_path / "cache").iterdir()), "no half-made cache is left"


def test_all_missing_images_are_named(folder: Path, tmp_path: Path) -> None:
    for name in ("b.png", "c.png"):
        (folder / name).unlink()
    with pytest.raises(DataError, match="missing") as caught:
        load(folder, "val", "clahe-1", 32, tmp_path / "cache")
    assert all(str(folder / name) in str(caught.value) for name in ("b.png", "c.png"))


def test_an_empty_split_is_refused(tmp_path: Path) -> None:
    write(tmp_path, [ROWS[0]])
    with pytest.raises(DataError, match="no images of the split test"):
        load(tmp_path, "test", "clahe-1", 32, tmp_path / "cache")


def test_where_keeps_rows_and_images_together(folder: Path, tmp_path: Path) -> None:
    loaded = load(folder, "val", "clahe-1", 32, tmp_path / "cache")
    kept = loaded.where(row.label == "pneumonia" for row in loaded.rows)
    assert isinstance(kept, Dataset)
    assert [row.file for row in kept.rows] == ["c.png"]
    assert np.array_equal(kept.images, loaded.images[1:])


# --- Halves of the validation split


def patient(name: str, file: str = "x.png") -> Row:
    return Row(file, "normal", "here", name, "val")


def test_a_patient_is_in_one_half_whatever_the_image() -> None:
    for index in range(50):
        name = f"patient {index}"
        assert half_of_validation(patient(name, "a.png")) == half_of_validation(patient(name, "b.png"))


def test_halves_are_halves_and_stay_where_they_are() -> None:
    halves = [half_of_validation(patient(f"p{index}")) for index in range(1000)]
    assert set(halves) == {"select", "calibrate"}
    assert 440 < halves.count("select") < 560
    # These must never change: figures of earlier bundles were measured on them.
    assert "".join(half[0] for half in halves[:8]) == "ccssssss"
