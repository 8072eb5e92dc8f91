"""DICOM Part 10 → 8-bit grey, for frontal chest radiographs only."""

import re
from typing import Final

from pydicom import uid
from pydicom.dataset import Dataset

from cxr.decode.dicom.body_part import BodyPart, body_part
from cxr.decode.dicom.elements import codes, instance_uids, integer, read, text, texts
from cxr.decode.dicom.pixels import SUPPORTED_SYNTAXES, grey_pixels, windowed_pixels
from cxr.decode.dicom.view import is_decubitus, is_frontal
from cxr.decode.orientation import MIRRORED as MIRROR
from cxr.decode.orientation import UPRIGHT, upright
from cxr.decode.preview import Preview, preview_of
from cxr.decode.radiograph import Radiograph
from cxr.errors import ForProcessing, LateralView, MultiFrame, NotAChest, NotARadiograph

SECONDARY_CAPTURE: Final = (
    "The DICOM object is a secondary capture: its pixels may have been processed, cropped or annotated."
)
MINOR: Final = "The patient is under 18 years old: the model was not made for children."
MIRRORED: Final = "The image was stored mirrored. It was flipped, and its map with it: left is the patient's right."
TURNED: Final = "The file states an orientation other than upright. The image was used as stored."
BODY_PART: Final = "The file does not say in known words that the chest was examined: check that it was."
DECUBITUS: Final = "The patient lies on one side (lateral decubitus): the model was made for upright and supine views."

_RADIOGRAPHS: Final = {uid.ComputedRadiographyImageStorage, uid.DigitalXRayImageStorageForPresentation}
_SECONDARY_CAPTURES: Final = {
    uid.SecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
}
_MODALITIES: Final = {"", "CR", "DX"}
_SECONDARY_CAPTURE_MODALITIES: Final = _MODALITIES | {"OT", "SC"}  # film scans, screenshots

_LATERAL_ALONE: Final = "L"  # so public collections mark a lateral view; the side is in another element
_KNOWN_ORIENTATIONS: Final = {("", ""), ("L", ""), ("L", "F"), ("R", "F")}

_AGE: Final = re.compile(r"(\d{1,3})([DWMY])")
_AGES_AT_18: Final = {"D": 18 * 365.25, "W": 18 * 365.25 / 7, "M": 18 * 12, "Y": 18}


def decode_dicom(data: bytes | memoryview) -> Radiograph:
    """Decode a DICOM file unless one of its elements says that it is not a single frontal chest radiograph.

    The image is as stored; it is flipped only where the file says that it is mirrored. Raises subclasses of Refusal.
    """
    dataset, part = _accepted(data)
    pixels, warnings = grey_pixels(dataset)
    turned = _turned(dataset)
    return Radiograph(
        upright(pixels, turned),
        "application/dicom",
        instance_uids(dataset),
        _warnings(dataset, part) + warnings,
        turned,
        text(dataset, "ViewPosition"),
    )


def preview_dicom(data: bytes | memoryview) -> Preview:
    """The same file as a preview for a screen. Raises what `decode_dicom` raises, and TooSmall."""
    dataset, _ = _accepted(data)
    return preview_of(windowed_pixels(dataset), _turned(dataset))


def _accepted(data: bytes | memoryview) -> tuple[Dataset, BodyPart]:
    """The parsed file, if nothing in it contradicts a single frontal chest radiograph, and its body part."""
    dataset = read(data, SUPPORTED_SYNTAXES)
    _check_object(dataset)
    part = body_part(" ".join(texts(dataset, "BodyPartExamined")))
    _check_view(dataset, part)
    return dataset, part


def _turned(dataset: Dataset) -> int:
    return MIRROR if _mirrored(dataset) else UPRIGHT


def _check_object(dataset: Dataset) -> None:
    """Refuse any object that is not one frame of a radiograph for presentation."""
    sop_class = text(dataset, "SOPClassUID")
    if (
        sop_class == uid.DigitalXRayImageStorageForProcessing
        or text(dataset, "PresentationIntentType") == "FOR PROCESSING"
    ):
        raise ForProcessing
    allowed = _SECONDARY_CAPTURE_MODALITIES if sop_class in _SECONDARY_CAPTURES else _MODALITIES
    if sop_class not in _RADIOGRAPHS | _SECONDARY_CAPTURES or text(dataset, "Modality") not in allowed:
        raise NotARadiograph
    if integer(dataset, "NumberOfFrames", 1) > 1:
        raise MultiFrame


def _check_view(dataset: Dataset, part: BodyPart) -> None:
    """Refuse other body parts, and lateral and oblique views, by every element that may state them."""
    if part is BodyPart.ANOTHER:
        raise NotAChest
    view = " ".join(texts(dataset, "ViewPosition"))
    stated = {view, *texts(dataset, "BodyPartExamined"), *codes(dataset, "ViewCodeSequence")}
    rows_run_to, _ = _orientation(dataset)
    if view == _LATERAL_ALONE or rows_run_to in ("A", "P") or not all(map(is_frontal, stated)):
        raise LateralView


def _orientation(dataset: Dataset) -> tuple[str, str]:
    """Patient direction of rows and columns, the first letter of each: L and F when upright."""
    rows, columns = [*texts(dataset, "PatientOrientation"), "", ""][:2]
    return rows[:1], columns[:1]


def _mirrored(dataset: Dataset) -> bool:
    return _orientation(dataset) == ("R", "F")


def _warnings(dataset: Dataset, part: BodyPart) -> tuple[str, ...]:
    age = _AGE.fullmatch(text(dataset, "PatientAge"))
    said = {
        SECONDARY_CAPTURE: text(dataset, "SOPClassUID") in _SECONDARY_CAPTURES,
        MINOR: age is not None and int(age[1]) < _AGES_AT_18[age[2]],
        MIRRORED: _mirrored(dataset),
        TURNED: _orientation(dataset) not in _KNOWN_ORIENTATIONS,
        BODY_PART: part is BodyPart.UNKNOWN,
        DECUBITUS: is_decubitus(" ".join(texts(dataset, "ViewPosition"))),
    }
    return tuple(sentence for sentence, applies in said.items() if applies)
