"""Structured report and secondary capture: valid, readable, reproducible, and in the patient's own study."""

import warnings
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pytest
from PIL import Image
from pydicom import uid

from cxr.anatomy.boxes import Box
from cxr.decode import InstanceUIDs, decode, source_of
from cxr.errors import NeedsDicom, NoInstance
from cxr.labels import DISCLAIMER, LABELS, Label
from cxr.model.bundle import Bundle
from cxr.report import codes
from cxr.report.codes import FINDINGS, OWN, UNDETERMINED
from cxr.report.objects import OBJECTS, dicom_objects
from cxr.report.result import DESCRIPTION, Result
from tests import files
from tests.bundles import variant
from tests.dicom_tools import errors, faults, legal_dx, needs_dciodvfy, transcoded
from tests.findings import make_explanation, make_finding

P = (0.123456789012, 0.000000004321, 0.876543206667)
BOXES = (Box(10, 20, 300, 400, 0.6123456789), Box(500, 20, 30, 41, 0.1))
SIZE = (101, 203)  # an odd number of bytes
SYNTAXES = [
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.RLELossless,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEG2000Lossless,
]
PATIENT = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyTime")


def overlay() -> np.ndarray[Any, np.dtype[np.uint8]]:
    ramp = np.arange(3 * SIZE[0] * SIZE[1]) % 251
    return ramp.astype(np.uint8).reshape(*SIZE, 3)


def result_of(bundle: Bundle, data: bytes, prediction_set: tuple[Label, ...] = ("covid19",), **told: Any) -> Result:
    """A result for a DICOM file, without running a network."""
    uids = files.parse(data)
    instance = InstanceUIDs(uids.SOPInstanceUID, uids.SeriesInstanceUID, uids.StudyInstanceUID)
    finding = replace(make_finding(P, prediction_set), instance=instance, warnings=("Careful.",))
    explanation = make_explanation(Image.fromarray(overlay()), **{"boxes": BOXES} | told)
    return Result.of(finding, explanation, bundle, data)


def made(bundle: Bundle, data: bytes, **told: Any) -> dict[str, bytes]:
    return dicom_objects(result_of(bundle, data, **told), data)


def read(data: bytes) -> Any:
    return highdicom.sr.srread(BytesIO(data))


@needs_dciodvfy
@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.keyword)
def test_no_error_of_the_real_radiograph_in_any_encoding(bundle: Bundle, tmp_path: Path, syntax: uid.UID) -> None:
    data = transcoded(syntax, tmp_path, files.quarter_dicom())
    assert files.parse(data).file_meta.TransferSyntaxUID == syntax
    for object_ in made(bundle, data).values():
        assert not errors(object_, tmp_path)


@needs_dciodvfy
@pytest.mark.parametrize("prediction_set", [(), ("covid19",), LABELS], ids=len)
def test_not_even_a_warning_of_a_legal_file(bundle: Bundle, tmp_path: Path, prediction_set: tuple[Label, ...]) -> None:
    data = legal_dx()
    assert not faults(data, tmp_path)
    assert decode(data).warnings == ()
    for object_ in made(bundle, data, prediction_set=prediction_set).values():
        assert not faults(object_, tmp_path)


def test_the_report_says_what_was_found(bundle: Bundle) -> None:
    data = files.radiograph_dicom()
    report = read(made(bundle, data)["sr"])
    assert (report.CompletionFlag, report.PreliminaryFlag, report.VerificationFlag) == (
        "COMPLETE",
        "PRELIMINARY",
        "UNVERIFIED",
    )
    assert report.SeriesDescription == DESCRIPTION
    (group,) = report.content.get_image_measurement_groups()
    assert [m.value / 100 for m in group.get_measurements()] == pytest.approx(P, abs=1e-10)
    assert [m.name.scheme_designator for m in group.get_measurements()] == [OWN] * 3
    evaluations = {q.name.value: q.value.value for q in group.get_qualitative_evaluations()}
    assert evaluations["highest-label"] == FINDINGS["covid19"].value
    assert evaluations["not-ruled-out-90"] == FINDINGS["covid19"].value
    assert group.finding_type is None, "no group may read as a finding where its number is dropped"
    (source,) = group.source_images
    assert source.referenced_sop_instance_uid == files.parse(data).SOPInstanceUID
    assert report.DeviceSerialNumber == bundle.sha256
    comments = [item.TextValue for item in group[0].ContentSequence if item.name.meaning == "Comment"]
    assert comments == [DISCLAIMER, "A sentence.", "Careful."]


def test_the_elements_that_say_what_an_object_is(bundle: Bundle) -> None:
    objects = {kind: files.parse(data) for kind, data in made(bundle, files.quarter_dicom()).items()}
    assert {kind: int(one.SeriesNumber) for kind, one in objects.items()} == {"sc": 9902, "sr": 9901}
    for one in objects.values():
        assert int(one.InstanceNumber) == 1
        assert one.is_implicit_VR is False
        assert one.is_little_endian
        assert "PatientIdentityRemoved" not in one
        assert "PatientSex" in one
    report = objects["sr"]
    assert (report.CompletionFlag, report.PreliminaryFlag, report.VerificationFlag) == (
        "COMPLETE",
        "PRELIMINARY",
        "UNVERIFIED",
    )


def test_a_patient_whose_identity_was_removed_stays_so(bundle: Bundle) -> None:
    told = {"PatientIdentityRemoved": "YES", "DeidentificationMethod": "by hand"}
    dataset = files.parse(files.quarter_dicom())
    for keyword, value in told.items():
        setattr(dataset, keyword, value)
    for data in made(bundle, files.part10(dataset)).values():
        assert {keyword: str(files.parse(data)[keyword].value) for keyword in told} == told
    del dataset.DeidentificationMethod  # each needs the other
    for data in made(bundle, files.part10(dataset)).values():
        assert not set(told) & {element.keyword for element in files.parse(data)}


def test_regions_are_numbered_from_one(bundle: Bundle) -> None:
    report = read(made(bundle, files.quarter_dicom())["sr"])
    names = [group.tracking_identifier for group in report.content.get_planar_roi_measurement_groups()]
    assert [name.split(" of ")[0] for name in names] == ["Region 1", "Region 2"]


@pytest.mark.parametrize("prediction_set", [(), ("normal",), ("normal", "covid19"), LABELS], ids=len)
def test_every_label_that_is_not_ruled_out_is_named(bundle: Bundle, prediction_set: tuple[Label, ...]) -> None:
    report = read(made(bundle, files.radiograph_dicom(), prediction_set=prediction_set)["sr"])
    (group,) = report.content.get_image_measurement_groups()
    said = [q.value.value for q in group.get_qualitative_evaluations() if q.name.value == "not-ruled-out-90"]
    assert said == ([FINDINGS[label].value for label in prediction_set] or [UNDETERMINED.value])


def test_boxes_are_regions_of_the_stored_image(bundle: Bundle) -> None:
    report = read(made(bundle, files.radiograph_dicom())["sr"])
    groups = report.content.get_planar_roi_measurement_groups()
    assert len(groups) == len(BOXES)
    for group, box in zip(groups, BOXES, strict=True):
        corners = group.roi.value
        assert (corners.min(axis=0) == (box.x, box.y)).all()
        assert (corners.max(axis=0) == (box.x + box.width, box.y + box.height)).all()
        assert (corners[0] == corners[-1]).all()
        (share,) = group.get_measurements()
        assert share.value / 100 == pytest.approx(box.share, abs=1e-10)


def test_own_codes_are_short_and_meanings_fit() -> None:
    own = [codes.CLASSIFICATION, codes.HIGHEST, codes.REGION, codes.SHARE, *codes.SCORES.values()]
    for concept in [*own, codes.not_ruled_out(0.95)]:
        assert concept.scheme == OWN
        assert len(concept.value) <= 16
        assert len(concept.meaning) <= 64


def test_a_map_without_regions(bundle: Bundle) -> None:
    report = read(made(bundle, files.radiograph_dicom(), boxes=())["sr"])
    assert report.content.get_planar_roi_measurement_groups() == []


def test_the_capture_is_the_overlay(bundle: Bundle) -> None:
    data = files.radiograph_dicom()
    capture = files.parse(made(bundle, data)["sc"])
    assert capture.SOPClassUID == uid.SecondaryCaptureImageStorage
    assert np.array_equal(capture.pixel_array, overlay())
    (source,) = capture.SourceImageSequence
    assert source.ReferencedSOPInstanceUID == files.parse(data).SOPInstanceUID
    assert capture.SeriesDescription == DESCRIPTION
    assert "BurnedInAnnotation" not in capture


@pytest.mark.parametrize("stated", ["YES", "NO"])
def test_the_capture_may_contain_names_if_the_radiograph_does(bundle: Bundle, stated: str) -> None:
    data = files.radiograph_dicom(BurnedInAnnotation=stated)
    assert files.parse(made(bundle, data)["sc"]).BurnedInAnnotation == stated


@pytest.mark.parametrize(
    "sop_class", [uid.SecondaryCaptureImageStorage, uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage]
)
def test_of_a_secondary_capture(bundle: Bundle, sop_class: uid.UID) -> None:
    objects = made(bundle, files.radiograph_dicom(SOPClassUID=sop_class, Modality="OT"))
    assert files.parse(objects["sc"]).BurnedInAnnotation == "YES"
    assert len(read(objects["sr"]).content.get_planar_roi_measurement_groups()) == len(BOXES)


def test_the_same_bytes_each_time(bundle: Bundle) -> None:
    data = files.radiograph_dicom()
    assert made(bundle, data) == made(bundle, data)


def test_uids_are_those_of_file_model_and_question(bundle: Bundle, tmp_path: Path) -> None:
    data, other = files.radiograph_dicom(), files.radiograph_dicom(SOPInstanceUID="1.2.3")
    recalibrated = variant(bundle, tmp_path / "recalibrated", temperature=0.6)
    all_ = [
        made(bundle, data),
        made(bundle, other),
        made(recalibrated, data),
        made(bundle, data, method="lrp"),
        made(bundle, data, target="covid19"),
        made(bundle, data, member="ensemble"),
    ]
    datasets = [files.parse(objects[kind]) for objects in all_ for kind in OBJECTS]
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
        uids = {dataset[keyword].value for dataset in datasets}
        assert len(uids) == len(datasets)
        assert all(one.startswith("2.25.") and one.is_valid for one in uids)


NAMES = {
    "ISO_IR 100": "Müller^Jürgen",
    "ISO_IR 192": "山田^太郎",
    "\\ISO 2022 IR 87": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "GB18030": "王^小东",
    "": "Plain^Name",
}


@pytest.mark.parametrize("character_set", NAMES)
@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian])
def test_patient_and_study_are_the_radiographs_own_bytes(
    bundle: Bundle, tmp_path: Path, character_set: str, syntax: uid.UID
) -> None:
    elements = {"SpecificCharacterSet": character_set.split("\\") if character_set else None}
    data = files.radiograph_dicom(**elements, PatientName=NAMES[character_set], PatientBirthDate="19400305")
    data = transcoded(syntax, tmp_path, data)
    source = files.parse(data)
    for object_ in made(bundle, data).values():
        target = files.parse(object_)
        assert str(target.PatientName) == NAMES[character_set]
        for keyword in PATIENT:
            assert target[keyword].value == source[keyword].value
            assert raw(object_, keyword) == raw(data, keyword)
        assert (target.ContentDate, target.ContentTime) == (source.ContentDate, source.ContentTime)


def raw(data: bytes, keyword: str) -> bytes:
    value = files.parse(data).get_item(keyword).value
    assert isinstance(value, bytes)
    return value.strip(b" \0")


ODD: list[dict[str, Any]] = [
    {"PatientSex": "unknown", "PatientAge": "44", "PatientBirthDate": "1940", "StudyDate": "20209999"},
    {"StudyInstanceUID": "1.02.003", "SOPInstanceUID": "1.2.03"},
    {"SpecificCharacterSet": "KLINGON", "PatientName": "a^b^c^d^e^f^g=h=i=j"},
    {"PatientID": "9" * 70, "StudyDescription": "x" * 500, "AccessionNumber": "a\\b"},
    dict.fromkeys((*PATIENT[:4], "StudyDate", "StudyTime", "ContentDate", "SeriesDate", "AccessionNumber")),
    {"PatientIdentityRemoved": "YES", "DeidentificationMethod": "all names are gone"},
]


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom warns when the test writes and reads these unusual files
@pytest.mark.parametrize("elements", ODD, ids=lambda elements: next(iter(elements)))
def test_invalid_elements_of_the_file_are_left_out_silently(
    bundle: Bundle, caplog: pytest.LogCaptureFixture, elements: dict[str, Any]
) -> None:
    data = files.radiograph_dicom(**elements)
    result = result_of(bundle, data)
    caplog.clear()
    objects = dicom_objects(result, data)
    assert not caplog.records
    for object_ in objects.values():
        target = files.parse(object_)
        for keyword in ("PatientName", "PatientID", "PatientSex", "StudyDate"):
            assert keyword in target
        assert target.StudyInstanceUID == files.parse(data).StudyInstanceUID
        assert len(target.ContentDate) == 8
    assert read(objects["sr"]).content.get_image_measurement_groups()


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_making_objects_warns_of_nothing(bundle: Bundle) -> None:
    """A warning would quote the file into the log."""
    data = files.radiograph_dicom(StudyInstanceUID="1.02.003", PatientName="ward", PatientSex="X")
    result = result_of(bundle, data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dicom_objects(result, data)


@pytest.mark.parametrize("missing", ["StudyInstanceUID", "SeriesInstanceUID"])
def test_a_file_that_does_not_name_itself(bundle: Bundle, missing: str) -> None:
    result = result_of(bundle, files.radiograph_dicom())
    with pytest.raises(NoInstance):
        dicom_objects(result, files.radiograph_dicom(**{missing: None}))


def test_objects_are_made_only_for_dicom_files(bundle: Bundle) -> None:
    with pytest.raises(NeedsDicom):
        dicom_objects(result_of(bundle, files.radiograph_dicom()), files.radiograph_png())


def test_a_source_does_not_show_the_patient() -> None:
    assert repr(source_of(files.radiograph_dicom())) == "Source(…)"


def test_the_patient_is_in_no_module_that_logs(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """highdicom logs names that it finds unusual, so it gets no names."""
    shown: list[dict[str, Any]] = []
    original = highdicom.base.SOPClass.__init__

    def spy(self: Any, *args: Any, **kwargs: Any) -> None:
        shown.append(kwargs)
        original(self, *args, **kwargs)

    monkeypatch.setattr(highdicom.base.SOPClass, "__init__", spy)
    made(bundle, files.radiograph_dicom(PatientName="CANARYBIRD", PatientID="CANARYBIRD"))
    assert len(shown) == len(OBJECTS)
    assert "CANARYBIRD" not in str(shown)
