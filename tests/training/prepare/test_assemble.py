"""Preparing: the stored form, groups and splits, no patient data, and atomic output."""

import csv
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from cxr.arrays import Grey
from cxr.decode import decode
from cxr.errors import DataError, LateralView, NotDecodable, TooSmall, Truncated
from cxr.model.preprocess import preprocess
from tests import files
from tests.cxr.decode.dicom.test_dicom_privacy import CANARY, with_canaries
from tests.training.prepare.trees import by_class, chest, put, put_text
from training.data import load, read_table
from training.prepare import assemble
from training.prepare.assemble import PreparedFolder, prepare, without_published_test
from training.prepare.kinds import ReadingOptions, read_collection
from training.prepare.records import Collection
from training.prepare.splits import Shares

SHARES = Shares(0.2, 0.2)


def prepared(folder: Path, output: Path, **reading: object) -> PreparedFolder:
    return prepare(collected(folder, **reading), output, SHARES, seed=0)


def collected(folder: Path, **reading: object) -> Collection:
    return read_collection(folder, ReadingOptions(**reading))[1]  # type: ignore[arg-type]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def put_csv(folder: Path, rows: Iterable[str]) -> None:
    put_text(folder / "table.csv", "file,label,patient", *rows)


# --- The stored form


def test_training_reads_what_was_prepared(tmp_path: Path) -> None:
    prepared(by_class(tmp_path / "in"), tmp_path / "out")
    rows = read_table(tmp_path / "out")
    assert len(rows) == 18
    assert {row.split for row in rows} == {"train", "val", "test"}
    assert load(tmp_path / "out", "train", "clahe-1", 32, tmp_path / "cache").images.shape[1:] == (32, 32)
    original = {row.file for row in rows} | {"metadata.csv", "duplicates.csv", "left-out.csv"}
    assert set(tree(tmp_path / "out")) == original
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("height", "width", "stored"), [(700, 512, (350, 256)), (512, 700, (256, 350)), (100, 80, (100, 80))]
)
def test_images_are_small_grey_jpegs_and_keep_their_size_in_the_table(
    tmp_path: Path, height: int, width: int, stored: tuple[int, int]
) -> None:
    by_class(tmp_path / "in", 3)
    big = chest(999, height, width)
    put(tmp_path / "in" / "normal" / "big.png", big)
    prepared(tmp_path / "in", tmp_path / "out")
    (row,) = (row for row in table(tmp_path / "out" / "metadata.csv") if row["width"] == str(width))
    assert row["height"] == str(height)
    data = (tmp_path / "out" / row["file"]).read_bytes()
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    assert pixels.shape == stored
    assert data[:4] == b"\xff\xd8\xff\xe0", "JFIF, no EXIF"
    assert row["file"] == f"images/{re.fullmatch('images/([0-9a-f]{12}).jpg', row['file'])[1]}.jpg"  # type: ignore[index]
    difference = preprocess(decode(data).pixels, "clahe-1", 64) - preprocess(big, "clahe-1", 64).astype(float)
    assert np.abs(difference).mean() < 3


def test_the_same_collection_gives_the_same_bytes_wherever_it_lies(tmp_path: Path) -> None:
    prepared(by_class(tmp_path / "in"), tmp_path / "one")
    for index, path in enumerate(sorted((tmp_path / "in").rglob("*.png"), reverse=True)):
        put(tmp_path / "other" / path.parent.name.upper() / f"{index}.png", decode(path.read_bytes()).pixels)
    prepared(tmp_path / "other", tmp_path / "two")
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def _other(seed: int, pixels: Grey) -> bytes:
    """Pixel values of another picture of the same size."""
    height, width = pixels.shape
    return (chest(seed, height, width).astype(np.uint16) << 6).tobytes()


def test_the_view_of_a_dicom_is_its_own(tmp_path: Path) -> None:
    for index, view in enumerate(("AP", "", "odd")):
        data = files.changed(files.small_radiograph_dicom(), ViewPosition=view)
        (tmp_path / f"{index}.dcm").write_bytes(files.changed(data, PixelData=_other(index, decode(data).pixels)))
    put_csv(tmp_path, [f"{index}.dcm,normal,p{index}" for index in range(3)])
    done = prepared(tmp_path, tmp_path / "out")
    assert {image.picture.original.where: image.picture.view for image in done.images} == {
        "line 2": "AP", "line 3": "unknown", "line 4": "unknown"
    }  # fmt: skip


# --- Groups and splits


def test_patients_and_near_duplicates_stay_together(tmp_path: Path) -> None:
    rows = []
    for index in range(24):
        put(tmp_path / f"{index}.png", chest(index))
        rows.append(f"{index}.png,{('normal', 'covid19')[index % 2]},p{index // 2}")
    put(tmp_path / "copy.png", (chest(0) * 0.9).astype(np.uint8))  # of patient p0, under another name
    put_csv(tmp_path, [*rows, "copy.png,normal,p11"])
    done = prepared(tmp_path, tmp_path / "out", kind="csv")
    written = table(tmp_path / "out" / "metadata.csv")
    splits: dict[str, set[str]] = {}
    for row in written:
        splits.setdefault(row["patient"], set()).add(row["split"])
    assert all(len(found) == 1 for found in splits.values())
    assert len(splits) == 11  # p0 and p11 are one
    sizes = sorted(sum(row["patient"] == name for row in written) for name in splits)
    assert sizes == [2] * 10 + [5]
    (pair,) = table(tmp_path / "out" / "duplicates.csv")
    assert {pair["file"], pair["other_file"]} <= {row["file"] for row in written}
    assert float(pair["correlation"]) > 0.8
    assert len(done.pairs) == 1
    assert done.patients


def test_one_patients_number_in_two_sources_is_two_patients(tmp_path: Path) -> None:
    for index in range(6):
        put(tmp_path / f"{index}.png", chest(index))
    lines = [f"{index}.png,normal,{index % 3},{'ab'[index // 3]}" for index in range(6)]
    put_text(tmp_path / "table.csv", "file,label,patient,source", *lines)
    prepared(tmp_path, tmp_path / "out", kind="csv")
    assert len({row["patient"] for row in table(tmp_path / "out" / "metadata.csv")}) == 6


def test_identical_pictures_are_stored_once_and_join_their_patients(tmp_path: Path) -> None:
    for index in range(8):
        put(tmp_path / f"{index}.png", chest(index % 7))
    put_csv(tmp_path, [f"{index}.png,normal,p{index}" for index in range(7)] + ["7.png,normal,p1"])
    done = prepared(tmp_path, tmp_path / "out", kind="csv")
    assert len(done.images) == 7
    assert [one.reason for one in done.left_out] == [assemble.IDENTICAL]
    assert len({image.patient for image in done.images}) == 6


def test_a_picture_under_two_findings_is_left_out(tmp_path: Path) -> None:
    by_class(tmp_path / "in", 4)
    put(tmp_path / "in" / "covid19" / "again.png", chest(0))
    done = prepared(tmp_path / "in", tmp_path / "out")
    assert [one.reason for one in done.left_out] == [assemble.TWO_LABELS] * 2
    assert len(done.images) == 11
    assert len(list((tmp_path / "out" / "images").iterdir())) == 11


def test_what_leaks_into_a_published_test_split_is_left_out(tmp_path: Path) -> None:
    by_class(tmp_path / "in" / "train", 4)
    for number in range(3):
        put(tmp_path / "in" / "test" / "normal" / f"{number}.png", chest(500 + number))
    put(tmp_path / "in" / "train" / "normal" / "leak.png", (chest(500) * 0.85 + 20).astype(np.uint8))
    collection = collected(tmp_path / "in")
    done = prepare(collection, tmp_path / "out", SHARES, seed=0)
    assert [one.reason for one in done.left_out] == [assemble.LEAK]
    assert sum(image.split == "test" for image in done.images) == 3
    assert table(tmp_path / "out" / "duplicates.csv") == []
    anew = prepare(without_published_test(collection), tmp_path / "anew", SHARES, seed=0)
    assert anew.left_out == []
    assert len(anew.pairs) == 1
    assert {image.picture.original.label for image in anew.images if image.split == "test"} > {"normal"}


# --- Unreadable files, and data that must not be written


def test_unreadable_files_are_listed(tmp_path: Path) -> None:
    folder = by_class(tmp_path / "in", 3)
    bad = {"text.png": files.text_file(), "cut.png": files.truncated_png(), "lateral.dcm": files.lateral_dicom()}
    for name, data in bad.items():
        (folder / "normal" / name).write_bytes(data)
    put(folder / "normal" / "small.png", np.tile(np.arange(90, dtype=np.uint8), (40, 1)))
    prepared(folder, tmp_path / "out")
    listed = [(row["where"], row["reason"]) for row in table(tmp_path / "out" / "left-out.csv")]
    assert listed == [
        ("image 7", Truncated.message), ("image 8", LateralView.message), ("image 9", TooSmall.message),
        ("image 10", NotDecodable.message),
    ]  # fmt: skip


def test_nothing_of_a_patient_is_written(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in" / CANARY
    rows = []
    for index in range(6):
        pixels = np.roll(decode(files.small_radiograph_dicom()).pixels, 40 * index, axis=1)
        data = with_canaries() if index == 0 else files.png(pixels)
        put(folder / f"{CANARY}-{index}", pixels).write_bytes(data)
        rows.append(f"{CANARY}-{index},normal,{CANARY}{index},,{CANARY}")
    (folder / f"{CANARY}-bad").write_bytes(files.text_file())
    (folder / f"{CANARY}-unlisted.png").write_bytes(files.text_file())
    rows += [f"{CANARY}-bad,normal,x,,", f"{CANARY}-0,{CANARY},y,,", f"{CANARY}-0,normal,{CANARY},L {CANARY},"]
    put_text(folder / "t.csv", "file,label,patient,view,name", *rows)
    capfd.readouterr()
    done = prepared(folder, tmp_path / "out", kind="csv")
    assert len(done.images) >= 3
    assert len(done.left_out) >= 4
    for name, data in tree(tmp_path / "out").items():
        assert CANARY not in name
        assert CANARY.encode() not in data
    assert CANARY not in "".join(capfd.readouterr())


def test_a_pseudonym_is_not_a_hash_of_the_patient(tmp_path: Path) -> None:
    for index in range(6):
        put(tmp_path / f"{index}.png", chest(index))
    put_csv(tmp_path, [f"{index}.png,normal,{index}" for index in range(6)])
    prepared(tmp_path, tmp_path / "one", kind="csv")
    put_csv(tmp_path, [f"{index}.png,normal,other {index}" for index in range(6)])
    prepared(tmp_path, tmp_path / "two", kind="csv")
    one, two = (table(tmp_path / name / "metadata.csv") for name in ("one", "two"))
    assert [row["patient"] for row in one] == [row["patient"] for row in two]


def test_the_mapping_is_written_only_where_asked_and_for_the_owner(tmp_path: Path) -> None:
    folder = by_class(tmp_path / "in", 3)
    (folder / "normal" / "bad.png").write_bytes(b"")
    path = tmp_path / "mapping.csv"
    path.write_text("old")
    path.chmod(0o644)
    done = prepare(collected(folder), tmp_path / "out", SHARES, 0, path)
    rows = table(path)
    assert len(rows) == 10
    assert {row["file"] for row in rows if row["file"]} == {image.picture.file for image in done.images}
    assert [row["original"] for row in rows if row["reason"]] == [str(folder / "normal" / "bad.png")]
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(DataError, match="outside"):
        prepare(collected(folder), tmp_path / "more", SHARES, 0, tmp_path / "more" / "mapping.csv")
    assert not (tmp_path / "more").exists()


# --- Atomic output


def test_a_folder_that_is_there_is_not_touched(tmp_path: Path) -> None:
    folder = by_class(tmp_path / "in", 3)
    prepared(folder, tmp_path / "out")
    before = tree(tmp_path / "out")
    with pytest.raises(DataError, match="exists already"):
        prepared(folder, tmp_path / "out")
    assert tree(tmp_path / "out") == before


def _fail(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("step", ["find_pairs", "store", "deal"])
def test_an_interrupted_preparation_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    folder = by_class(tmp_path / "in", 3)
    monkeypatch.setattr(assemble, step, _fail)
    with pytest.raises(KeyboardInterrupt):
        prepared(folder, tmp_path / "deep" / "out")
    assert list((tmp_path / "deep").iterdir()) == []


def _empty(folder: Path) -> None:
    for name in ("normal", "covid19"):
        put_text(folder / name / "notes.txt", "nothing")


def _two(folder: Path) -> None:
    put(folder / "normal" / "a.png", chest(0))
    put(folder / "covid19" / "b.png", chest(1))


@pytest.mark.parametrize(
    ("make", "message"), [(_empty, "no image can be used: The bytes"), (_two, "too few.*test, val")]
)
def test_what_makes_no_three_splits_is_refused(tmp_path: Path, make: Callable[[Path], None], message: str) -> None:
    make(tmp_path / "in")
    with pytest.raises(DataError, match=message):
        prepared(tmp_path / "in", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_grey_pictures_of_tests_are_distinct() -> None:
    """The other tests rely on this."""
    pictures: list[Grey] = [chest(seed) for seed in (0, 1, 100, 500)]
    assert len({picture.tobytes() for picture in pictures}) == 4
