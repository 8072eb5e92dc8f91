"""The elements of a DICOM file that a result object must repeat, so that an archive files it in the same study."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

# Elements by keyword, with the pattern of a valid value; None: a text in the file's own character set.
_UID: Final = r"[0-9.]{1,64}"
_DATE: Final = r"\d{8}"
_TIME: Final = r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?"
# PS3.3, C.12.1.1.2
_SET: Final = r"(ISO_IR (6|13|100|101|109|110|126|127|138|144|148|149|166|192|203)|GB18030|GBK|ISO 2022 IR \d{1,3})"
_YES_NO: Final = "YES|NO"
_FORMS: Final[dict[str, str | None]] = {
    "SOPClassUID": _UID,
    "SOPInstanceUID": _UID,
    "SeriesInstanceUID": _UID,
    "StudyInstanceUID": _UID,
    "SpecificCharacterSet": rf"{_SET}?(\\{_SET})*",
    "TimezoneOffsetFromUTC": r"[+-]\d{4}",
    "StudyDate": _DATE,
    "StudyTime": _TIME,
    "SeriesDate": _DATE,
    "SeriesTime": _TIME,
    "AcquisitionDate": _DATE,
    "AcquisitionTime": _TIME,
    "ContentDate": _DATE,
    "ContentTime": _TIME,
    "StudyID": None,
    "StudyDescription": None,
    "AccessionNumber": None,
    "ReferringPhysicianName": None,
    "PatientName": None,
    "PatientID": None,
    "IssuerOfPatientID": None,
    "PatientBirthDate": _DATE,
    "PatientSex": "[MFO]",
    "PatientAge": r"\d{3}[DWMY]",
    "PatientIdentityRemoved": _YES_NO,
    "DeidentificationMethod": None,
    "BurnedInAnnotation": _YES_NO,
}
KEYWORDS: Final = tuple(_FORMS)
IDENTITY: Final = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")

_MAX_LENGTH: Final = 400
_TEXT: Final = r"[^\x00-\x1a\x1c-\x1f]*"  # escape sequences change the character set within a value
_MOMENTS: Final = ("Content", "Acquisition", "Series", "Study")
_NO_MOMENT: Final = ("19700101", "000000")


@dataclass(frozen=True, slots=True)
class Source:
    """Elements of a DICOM file by keyword: raw values, one character per byte; "" if absent.

    It identifies a patient. Use it only in an object of the same study, never in a log, an answer or a file name.
    """

    elements: dict[str, str]

    @classmethod
    def of(cls, said: dict[str, str]) -> "Source":
        """Check a decoder's answer. Raises ValueError for a value that is not text; a malformed one becomes ""."""
        return cls({keyword: _checked(said.get(keyword, ""), _FORMS[keyword]) for keyword in KEYWORDS})

    def __repr__(self) -> str:
        return "Source(…)"

    def __getitem__(self, keyword: str) -> str:
        return self.elements[keyword]

    @property
    def complete(self) -> bool:
        """Whether it has all that an object needs to refer to the file."""
        return all(self.elements[keyword] for keyword in IDENTITY)

    @property
    def moment(self) -> tuple[str, str]:
        """The radiograph's date and time in DICOM format: those of the content, or the next best that are stated."""
        for name in _MOMENTS:
            day, time = self.elements[f"{name}Date"], self.elements[f"{name}Time"]
            if day:
                return day, time or _NO_MOMENT[1]
        return _NO_MOMENT


def _checked(value: object, form: str | None) -> str:
    if not isinstance(value, str) or len(value) > _MAX_LENGTH:
        raise ValueError
    if not re.fullmatch(_TEXT if form is None else form, value):
        return ""
    return value if form != _DATE or _is_date(value) else ""


def _is_date(value: str) -> bool:
    try:
        date(int(value[:4]), int(value[4:6]), int(value[6:]))
    except ValueError:
        return False
    return True
