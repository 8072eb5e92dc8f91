"""DICOM: no patient data in any output."""

import logging
from pathlib import Path
from typing import Any

import pytest
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from cxr.decode import decode
from cxr.decode.dicom.acceptance import decode_dicom
from cxr.decode.sandbox.pool import decoders
from cxr.errors import Refusal
from tests import files

CANARY = "CANARY4711"
CHARACTER_SET = "ISO_IR 100"  # as long as the canary, which replaces it after the file is written
TEXTS = [
    "PatientName", "PatientID", "PatientBirthDate", "PatientComments", "StudyDate",
    "AcquisitionTime", "AccessionNumber", "StudyID", "InstitutionName", "ReferringPhysicianName",
    "StudyDescription", "OperatorsName", "StationName", "ImageComments", "ImageType",
    "WindowCenterWidthExplanation", "IssuerOfPatientID", "SeriesDescription",
    "RequestedProcedureDescription", "PatientAge",
]  # fmt: skip


def with_canaries(**elements: str) -> bytes:
    """A radiograph with the canary in its texts, dates, character set, preamble and the elements given."""
    dataset = files.parse(files.small_radiograph_dicom())
    dataset.SpecificCharacterSet = CHARACTER_SET
    for keyword, value in (dict.fromkeys(TEXTS, CANARY) | elements).items():
        tag = Tag(keyword)
        raw = value.encode() + b" " * (len(value) % 2)
        dataset[tag] = RawDataElement(tag, dictionary_VR(tag), len(raw), raw, 0, False, True)
    data = files.part10(dataset).replace(CHARACTER_SET.encode(), CANARY.encode())
    return CANARY.encode().ljust(128) + data[128:]


@pytest.mark.parametrize(
    "elements",
    [
        {},
        {"PatientOrientation": "R\\F"},
        *({keyword: CANARY} for keyword in (
            "Modality", "BodyPartExamined", "ViewPosition", "PhotometricInterpretation", "PatientOrientation",
            "PresentationIntentType", "PresentationLUTShape", "VOILUTFunction", "SOPInstanceUID",
            "SOPClassUID", "WindowCenter", "WindowWidth", "RescaleSlope", "NumberOfFrames", "PatientAge",
        )),
    ],
    ids=str,
)  # fmt: skip
def test_no_patient_data_is_visible_outside(
    elements: dict[str, str],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    recwarn: pytest.WarningsRecorder,
) -> None:
    data = with_canaries(**elements)
    assert data.count(CANARY.encode()) >= len(TEXTS) + 2
    outcome: Any
    with caplog.at_level(logging.DEBUG):
        try:
            radiograph = decode(data)
            outcome = (radiograph.instance, radiograph.warnings)
        except Refusal as refusal:
            outcome = (repr(refusal), refusal.__context__, refusal.__cause__)
    said = f"{outcome} {caplog.text} {capfd.readouterr()} {[str(one.message) for one in recwarn]}"
    assert "CANARY" not in said
    assert not caplog.records
    assert not recwarn.list


def test_what_pydicom_says_of_the_patient_stays_in_the_decoders_process() -> None:
    """If this fails, pydicom no longer quotes what it reads, and the canary test proves less."""
    with pytest.warns(UserWarning, match=CANARY):
        decode_dicom(with_canaries())


def test_a_decoders_output_is_discarded() -> None:
    decode(files.small_radiograph_dicom())
    for pid in decoders().pids():
        open_files = {Path(f"/proc/{pid}/fd/{number}").readlink().name for number in (1, 2)}
        assert open_files == {"null"}
