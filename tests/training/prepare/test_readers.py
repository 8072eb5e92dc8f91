"""The four kinds: each tree is read whole; what cannot be used is left out with its reason, nothing is dropped."""

import re
from collections import Counter
from pathlib import Path

import pytest

from cxr.errors import DataError
from tests import files
from tests.training.prepare.trees import by_class, chest, put, put_text
from training.prepare.kinds import ReadingOptions, read_collection
from training.prepare.records import (
    AMBIGUOUS,
    LATERAL,
    MALFORMED,
    MASK,
    MISSING,
    NOT_A_RADIOGRAPH,
    NOT_FRONTAL,
    OTHER_CAUSE,
    OTHER_FINDING,
    UNLISTED,
    UNSPECIFIC_NEGATIVE,
    Collection,
    LeftOut,
)


def reasons(collection: Collection) -> list[tuple[str, str]]:
    return [(one.where, one.reason) for one in collection.left_out]


def pictures(folder: Path, *names: str) -> None:
    for seed, name in enumerate(names):
        put(folder / name, chest(seed))


# --- Folders by class


def test_usual_names_of_folders_are_understood(tmp_path: Path) -> None:
    by_class(tmp_path, 2, ("NORMAL", "Viral Pneumonia", "COVID-19"))
    kind, collection = read_collection(tmp_path, ReadingOptions(source="here"))
    assert kind == "folders"
    assert Counter(one.label for one in collection.images) == {"normal": 2, "pneumonia": 2, "covid19": 2}
    assert {one.source for one in collection.images} == {"here"}
    assert collection.left_out == []


def test_folders_in_folders_masks_and_other_findings(tmp_path: Path) -> None:
    pictures(tmp_path, "COVID/images/a.png", "COVID/masks/a.png", "Normal/images/b.png", "Lung_Opacity/images/c.png")
    pictures(tmp_path, "Normal/.DS_Store", "readme.png")
    _, collection = read_collection(tmp_path, ReadingOptions())
    assert [(one.where, one.label) for one in collection.images] == [("image 1", "covid19"), ("image 4", "normal")]
    assert reasons(collection) == [("image 2", MASK), ("image 3", OTHER_FINDING), ("image 5", OTHER_FINDING)]
    opacity = {"lungopacity": "pneumonia"}
    _, collection = read_collection(tmp_path, ReadingOptions(words=opacity))  # type: ignore[arg-type]
    assert Counter(one.label for one in collection.images)["pneumonia"] == 1


def test_the_publishers_test_folder_is_kept(tmp_path: Path) -> None:
    pictures(tmp_path, "train/NORMAL/a.png", "test/NORMAL/b.png", "val/PNEUMONIA/c.png", "test/PNEUMONIA/d.png")
    _, collection = read_collection(tmp_path, ReadingOptions())
    assert [(one.path.name, one.published_test) for one in collection.images] == [
        ("b.png", True), ("d.png", True), ("a.png", False), ("c.png", False)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [(r"person(\d+)", ["1", "1", "22", ""]), (r"person\d+", ["person1", "person1", "person22", ""]), (None, [""] * 4)],
)
def test_the_patient_is_found_in_the_name(tmp_path: Path, pattern: str | None, expected: list[str]) -> None:
    pictures(tmp_path, "normal/person1_a.png", "normal/person1_b.png", "pneumonia/person22.png", "pneumonia/x.png")
    reading = ReadingOptions(patient=re.compile(pattern) if pattern else None)
    assert [one.patient for one in read_collection(tmp_path, reading)[1].images] == expected


# --- COVIDx


@pytest.fixture
def covidx(tmp_path: Path) -> Path:
    pictures(tmp_path, "train/a.png", "train/b.png", "train/same.png", "test/same.png", "test/c.png", "train/odd.png")
    put_text(
        tmp_path / "train_COVIDx9A.txt",
        "p1 a.png normal rsna", "", "p2 b.png COVID-19 sirm", "p3 same.png pneumonia cohen", "p4 gone.png normal rsna",
        "p5 a.png", "p6 b.png flu rsna",
    )  # fmt: skip
    put_text(tmp_path / "test_COVIDx9A.txt", "p7 same.png pneumonia cohen", "p8 c.png normal")
    return tmp_path


def test_covidx_lists(covidx: Path) -> None:
    kind, collection = read_collection(covidx, ReadingOptions(source="covidx"))
    assert kind == "covidx"
    assert [
        (one.where, one.path.relative_to(covidx).as_posix(), one.label, one.patient, one.source, one.published_test)
        for one in collection.images
    ] == [
        ("test list, line 1", "test/same.png", "pneumonia", "p7", "cohen", True),
        ("test list, line 2", "test/c.png", "normal", "p8", "covidx", True),
        ("train list, line 1", "train/a.png", "normal", "p1", "rsna", False),
        ("train list, line 3", "train/b.png", "covid19", "p2", "sirm", False),
        ("train list, line 4", "train/same.png", "pneumonia", "p3", "cohen", False),
    ]
    assert reasons(collection) == [
        ("train list, line 5", MISSING), ("train list, line 6", MALFORMED), ("train list, line 7", OTHER_FINDING),
        ("unlisted file 1", UNLISTED),
    ]  # fmt: skip


def test_negatives_of_lists_of_positives_and_negatives_are_left_out(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png")
    put_text(tmp_path / "train.txt", "p1 a.png positive rsna", "p2 b.png negative rsna")
    _, collection = read_collection(tmp_path, ReadingOptions())
    assert [one.label for one in collection.images] == ["covid19"]
    assert reasons(collection) == [("train list, line 2", UNSPECIFIC_NEGATIVE)]


def test_a_name_in_two_other_folders_is_ambiguous(tmp_path: Path) -> None:
    pictures(tmp_path, "x/a.png", "y/a.png")
    put_text(tmp_path / "train.txt", "p1 a.png normal rsna")
    assert ("train list, line 1", AMBIGUOUS) in reasons(read_collection(tmp_path, ReadingOptions())[1])


def test_many_versions_of_lists_must_be_chosen_from(covidx: Path) -> None:
    older = put_text(covidx / "train_COVIDx5.txt", "p2 b.png COVID-19")
    with pytest.raises(DataError, match="--table"):
        read_collection(covidx, ReadingOptions())
    _, collection = read_collection(covidx, ReadingOptions(tables=(older,)))
    assert [one.path.name for one in collection.images] == ["b.png"]
    with pytest.raises(DataError, match="begin with"):
        read_collection(covidx, ReadingOptions(tables=(put_text(covidx / "mine.txt", "p2 b.png normal"),)))


# --- covid-chestxray-dataset

HEADER = "patientid,finding,view,modality,folder,filename,license,clinical_notes"


def test_covid_chestxray_dataset(tmp_path: Path) -> None:
    pictures(tmp_path / "images", "a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg", "f.jpg", "stranger.jpg")
    put_text(
        tmp_path / "metadata.csv",
        HEADER,
        '2,Pneumonia/Viral/COVID-19,PA,X-ray,images,a.jpg,CC BY 3.0,"a note\nof two lines"',
        "2,No Finding,AP Supine,X-ray,images,b.jpg,,",
        "3,Pneumonia/Viral/COVID-19,L,X-ray,images,c.jpg,,",
        "4,Pneumonia/Viral/COVID-19,Axial,CT,images,d.jpg,,",
        "5,Pneumonia,PA,X-ray,images,e.jpg,,",
        "6,Tuberculosis,PA,X-ray,images,f.jpg,,",
        "7,Pneumonia/Bacterial,PA,X-ray,images,gone.jpg,,",
        "8,Pneumonia/Bacterial,,X-ray,images,f.jpg,,",
    )
    kind, collection = read_collection(tmp_path, ReadingOptions())
    assert kind == "cohen"
    assert [(one.label, one.patient, one.view, one.licence, one.source) for one in collection.images] == [
        ("covid19", "2", "PA", "CC BY 3.0", "cohen"),
        ("normal", "2", "AP Supine", "see source", "cohen"),
    ]
    assert reasons(collection) == [
        ("line 5", LATERAL), ("line 6", NOT_A_RADIOGRAPH), ("line 7", OTHER_CAUSE), ("line 8", OTHER_FINDING),
        ("line 9", MISSING), ("line 10", NOT_FRONTAL), ("unlisted file 1", UNLISTED),
    ]  # fmt: skip


def test_its_older_form_without_folder_and_modality(tmp_path: Path) -> None:
    pictures(tmp_path / "images", "a.jpg")
    put_text(tmp_path / "metadata.csv", "Patientid,finding,view,filename,doi, url", "1, SARS,PA,a.jpg,,")
    _, collection = read_collection(tmp_path, ReadingOptions())
    assert [(one.label, one.patient) for one in collection.images] == [("pneumonia", "1")]


# --- The user's own CSV


def test_a_csv_beside_dicoms(tmp_path: Path) -> None:
    (tmp_path / "dicom").mkdir()
    for name in ("IM1", "IM2", "IM3"):
        (tmp_path / "dicom" / name).write_bytes(files.small_radiograph_dicom())
    table = put_text(
        tmp_path / "cohort.csv",
        "File,Diagnosis,Patient_ID,View,Source,Licence,Split",
        "dicom/IM1,COVID-19,77,PA,ward,CC0,test",
        "dicom/IM2,normal,78,,,,train",
        "dicom/IM2,normal,79,lateral,,,",
        "dicom/IM9,normal,80,,,,",
        "dicom/IM2,normal,,,,,",
        "dicom/IM2,cancer,81,,,,",
    )
    kind, collection = read_collection(tmp_path, ReadingOptions(source="clinic"))
    assert kind == "csv"
    assert [
        (one.label, one.patient, one.view, one.source, one.licence, one.published_test) for one in collection.images
    ] == [
        ("covid19", "77", "PA", "ward", "CC0", True),
        ("normal", "78", "unknown", "clinic", "see source", False),
    ]
    assert reasons(collection) == [
        ("line 4", LATERAL), ("line 5", MISSING), ("line 6", MALFORMED), ("line 7", OTHER_FINDING),
        ("unlisted file 1", UNLISTED),
    ]  # fmt: skip
    assert collection.left_out[-1] == LeftOut("unlisted file 1", UNLISTED, tmp_path / "dicom" / "IM3")
    assert read_collection(tmp_path, ReadingOptions(source="clinic", tables=(table,))) == (kind, collection)


def test_columns_by_other_names(tmp_path: Path) -> None:
    from training.prepare.listed import Columns

    pictures(tmp_path, "a.png")
    put_text(tmp_path / "t.csv", "bild,befund,fall,label", "a.png,normal,1,flu")
    reading = ReadingOptions(kind="csv", columns=Columns("Bild", "Befund", "Fall"))
    assert [one.label for one in read_collection(tmp_path, reading)[1].images] == ["normal"]
    with pytest.raises(DataError, match="--file-column"):
        read_collection(tmp_path, ReadingOptions(kind="csv"))
    with pytest.raises(DataError, match="no column nummer: name it with --patient-column"):
        read_collection(tmp_path, ReadingOptions(kind="csv", columns=Columns("bild", "befund", "nummer")))


# --- Detection of the kind


def test_a_folder_of_two_kinds_is_not_guessed(covidx: Path) -> None:
    by_class(covidx, 1)
    with pytest.raises(DataError, match="covidx or folders: say which with --from"):
        read_collection(covidx, ReadingOptions())
    assert read_collection(covidx, ReadingOptions(kind="folders"))[0] == "folders"


def test_the_error_for_an_unknown_kind_lists_all_kinds(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "normal/b.png")
    put_text(tmp_path / "notes.csv", "a,b", "1,2")
    put_text(tmp_path / "train.txt", "just a note of training")
    with pytest.raises(DataError, match=r"not of a known kind .*covidx.*cohen.*folders.*csv"):
        read_collection(tmp_path, ReadingOptions())
    with pytest.raises(DataError, match="is not a folder"):
        read_collection(tmp_path / "nowhere", ReadingOptions())


def test_a_prepared_folder_is_recognised(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png")
    put_text(tmp_path / "metadata.csv", "file,label,patient,split", "a.png,normal,p,train")
    with pytest.raises(DataError, match="prepared already"):
        read_collection(tmp_path, ReadingOptions())
    assert len(read_collection(tmp_path, ReadingOptions(kind="csv"))[1].images) == 1


@pytest.mark.parametrize("kind", ["cohen", "csv"])
def test_a_missing_or_unreadable_table_is_named(tmp_path: Path, kind: str) -> None:
    with pytest.raises(DataError, match="--table"):
        read_collection(tmp_path, ReadingOptions(kind=kind))  # type: ignore[arg-type]
    (tmp_path / "metadata.csv").write_bytes(b"\xff\xfe\0f")
    with pytest.raises(DataError, match=r"metadata\.csv"):
        read_collection(tmp_path, ReadingOptions(kind=kind))  # type: ignore[arg-type]
