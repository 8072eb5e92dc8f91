"""The DICOM objects that can be made from a result. highdicom is imported at the first use, which takes a second."""

from collections.abc import Sequence
from typing import Final, Literal, get_args

from cxr.decode import is_dicom, source_of
from cxr.errors import NeedsDicom
from cxr.report.result import Result

ObjectKind = Literal["sc", "sr"]
OBJECTS: Final[tuple[ObjectKind, ...]] = get_args(ObjectKind)
"""Secondary capture and structured report."""


def dicom_objects(result: Result, data: bytes, kinds: Sequence[ObjectKind] = OBJECTS) -> dict[str, bytes]:
    """DICOM Part 10 files by kind, for the study of the DICOM file that was classified.

    Raises:
        NeedsDicom: the file is a PNG or a JPEG.
        NoInstance: the file does not name its study, series and instance.
    """
    if not is_dicom(data):
        raise NeedsDicom
    from cxr.report.dicom_sr import structured_report
    from cxr.report.secondary_capture import secondary_capture

    source = source_of(data)
    make = {"sc": secondary_capture, "sr": structured_report}
    return {kind: make[kind](result, source) for kind in kinds}
