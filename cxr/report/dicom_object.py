"""What all DICOM objects made from a radiograph share: its patient and study, and a fixed date and time.

highdicom gets no patient data, because it logs names that it finds unusual. The elements that an archive needs are
copied in afterwards as raw bytes, in the file's own character set.
"""

from io import BytesIO
from typing import Any, Final

import pydicom.config
from pydicom import dcmwrite
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian

from cxr import __version__
from cxr.decode import Source
from cxr.report.result import DESCRIPTION, NAME, Result

# pydicom's warnings would write a file's UIDs into the log.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
pydicom.config.settings.writing_validation_mode = pydicom.config.IGNORE

_COPIED: Final = (
    "SpecificCharacterSet",
    "TimezoneOffsetFromUTC",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
)
_COPIED_IF_STATED: Final = ("StudyDescription", "IssuerOfPatientID", "PatientAge")
_OPTIONAL: Final = {"SpecificCharacterSet", "TimezoneOffsetFromUTC", *_COPIED_IF_STATED}
_CLOCKS: Final = (
    "InstanceCreationDate",
    "InstanceCreationTime",
    "DateOfSecondaryCapture",
    "TimeOfSecondaryCapture",
)
_PLACE_OF_SERIES: Final = {"sr": 9901, "sc": 9902}
"""Series numbers, chosen to sort after those of any modality."""


def reference(source: Source) -> Dataset:
    """The elements of the radiograph that highdicom needs, without the patient's."""
    dataset = Dataset()
    for keyword in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
        setattr(dataset, keyword, source[keyword])
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex"):
        setattr(dataset, keyword, "")
    for keyword in ("AccessionNumber", "StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName"):
        setattr(dataset, keyword, "")
    return dataset


def identity(result: Result, kind: str) -> dict[str, Any]:
    """The arguments for highdicom that say what an object is and what made it."""
    return {
        "series_instance_uid": result.uid(f"{kind} series"),
        "series_number": _PLACE_OF_SERIES[kind],
        "sop_instance_uid": result.uid(kind),
        "instance_number": 1,
        "manufacturer": NAME,
        "manufacturer_model_name": result.model,
        "software_versions": __version__,
        "device_serial_number": result.bundle.sha256,
        "series_description": DESCRIPTION,
        "transfer_syntax_uid": ExplicitVRLittleEndian,
    }


def part10(made: Dataset, source: Source) -> bytes:
    """The object as a file in the patient's study. The same input gives the same bytes.

    Its dates are the radiograph's: with the present time the same UID would have different contents.
    """
    for keyword in _CLOCKS:
        made.pop(keyword, None)
    for equipment in made.get("ContributingEquipmentSequence", ()):
        equipment.pop("ContributionDateTime", None)
    made.ContentDate, made.ContentTime = source.moment
    for keyword in (*_COPIED, *_COPIED_IF_STATED):
        if source[keyword] or keyword not in _OPTIONAL:
            _copy(made, source, keyword)
    if source["PatientIdentityRemoved"] and source["DeidentificationMethod"]:  # each requires the other
        _copy(made, source, "PatientIdentityRemoved")
        _copy(made, source, "DeidentificationMethod")
    # So that pydicom writes the copied bytes unchanged and decodes nothing.
    made.set_original_encoding(False, True, made._character_set)
    stream = BytesIO()
    dcmwrite(stream, made, enforce_file_format=True)
    return stream.getvalue()


def _copy(made: Dataset, source: Source, keyword: str) -> None:
    value = source[keyword].encode("latin-1")
    representation = dictionary_VR(keyword)
    value += (b"\0" if representation == "UI" else b" ") * (len(value) % 2)
    made[Tag(keyword)] = RawDataElement(Tag(keyword), representation, len(value), value, 0, False, True)
