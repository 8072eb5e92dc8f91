"""Which objects are read at all, and what is said of them, in this process."""

from typing import Any

import pytest
from pydicom import uid

from cxr.decode.dicom.acceptance import MINOR, TURNED, decode_dicom, preview_dicom
from cxr.decode.dicom.body_part import BodyPart, body_part
from cxr.errors import MultiFrame, NoPixels, NotARadiograph, NotDecodable, Refusal, Truncated
from tests import files
from tests.cxr.decode.dicoms import truncated


def warnings(**elements: Any) -> tuple[str, ...]:
    return decode_dicom(files.changed(files.small_radiograph_dicom(), **elements)).warnings


@pytest.mark.parametrize(
    ("age", "minor"),
    [
        ("017Y", True), ("018Y", False), ("215M", True), ("216M", False), ("939W", True), ("940W", False),
        ("999D", True), ("001D", True), ("", False), ("XXXY", False), ("17", False),
    ],
)  # fmt: skip
def test_who_is_under_eighteen_by_any_unit_is_told(age: str, minor: bool) -> None:
    assert (MINOR in warnings(PatientAge=age)) is minor


@pytest.mark.parametrize(
    ("orientation", "told"),
    [(["L", "F"], False), (["LP", "FP"], False), (["L", ""], False), (["R", "F"], False), (["L", "H"], True),
     (["F", "L"], True)],
)  # fmt: skip
def test_an_orientation_is_known_by_its_first_letters(orientation: list[str], told: bool) -> None:
    assert (TURNED in warnings(PatientOrientation=orientation)) is told


@pytest.mark.parametrize(
    ("elements", "refusal"),
    [
        ({"SOPClassUID": uid.CTImageStorage}, NotARadiograph),
        ({"Modality": "CT"}, NotARadiograph),
        ({"Modality": "OT"}, NotARadiograph),  # which a secondary capture may be
        ({"NumberOfFrames": 2}, MultiFrame),
        ({"PixelData": None}, NoPixels),
        ({"Rows": None}, NotDecodable),
        ({"Columns": None}, NotDecodable),
        ({"BitsAllocated": 32}, NotDecodable),
    ],
    ids=str,
)
def test_what_is_no_radiograph_of_one_frame_is_refused(elements: dict[str, Any], refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        warnings(**elements)


def test_one_frame_may_be_stated() -> None:
    assert warnings(NumberOfFrames=1) == warnings()
    assert warnings(SOPClassUID=uid.SecondaryCaptureImageStorage, Modality="OT") != warnings()


@pytest.mark.filterwarnings("ignore:End of file reached")  # pydicom, where nobody reads it
@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEG2000Lossless])
def test_a_file_that_ends_early_is_truncated(syntax: uid.UID) -> None:
    for data in (truncated(syntax), files.small_radiograph_dicom()[:-100]):
        for read in (decode_dicom, preview_dicom):
            with pytest.raises(Truncated):
                read(data)


def test_a_body_part_is_a_chest_another_or_unknown() -> None:
    said = {"CHEST": BodyPart.CHEST, "HAND": BodyPart.ANOTHER, "WHATEVER": BodyPart.UNKNOWN, "": BodyPart.UNSTATED}
    assert {words: body_part(words) for words in said} == said
