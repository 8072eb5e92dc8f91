"""DICOM Part 10 → 8-bit grey, for frontal chest radiographs alone."""

import re
from typing import Final

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset

from cxr.decode.dicom.elements import codes, instance_uids, integer, read, text, texts
from cxr.decode.dicom.pixels import SUPPORTED_SYNTAXES, grey_pixels
from cxr.decode.radiograph import MIRROR, Radiograph
from cxr.errors import ForProcessing, LateralView, MultiFrame, NotAChest, NotARadiograph

SECONDARY_CAPTURE: Final = (
    "The DICOM object is a secondary capture: its pixels may have been processed, cropped or annotated."
)
MINOR: Final = "The patient is under 18 years old: the model was not made for children."
MIRRORED: Final = "The image was stored mirrored. It was flipped, and its map with it: left is the patient's right."
TURNED: Final = "The file states an orientation other than upright. The image was taken as it is stored."

_RADIOGRAPHS: Final = {uid.ComputedRadiographyImageStorage, uid.DigitalXRayImageStorageForPresentation}
_SECONDARY_CAPTURES: Final = {
    uid.SecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
}
_MODALITIES: Final = {"", "CR", "DX"}
_SECONDARY_CAPTURE_MODALITIES: Final = _MODALITIES | {"OT", "SC"}  # film scans, screenshots

# Lateral, left lateral, right lateral projection in SNOMED CT and its older SRT codes: DX states its view so.
_LATERAL_VIEWS: Final = {"LL", "RL", "LAT", "LATERAL"}
_LATERAL_CODES: Final = {"399067008", "399173006", "399198007", "R-102CD", "R-10236", "R-10232"}
# PS3.16 annex L writes CHEST, LUNG and THORAX; modalities add words, as in CHEST PA or PORT CHEST.
_CHEST: Final = {"CHEST", "LUNG", "LUNGS", "THORAX"}

_KNOWN_ORIENTATIONS: Final = {("", ""), ("L", ""), ("L", "F"), ("R", "F")}

_AGE: Final = re.compile(r"(\d{1,3})([DWMY])")
_AGES_AT_18: Final = {"D": 18 * 365.25, "W": 18 * 365.25 / 7, "M": 18 * 12, "Y": 18}


def decode_dicom(data: bytes) -> Radiograph:
    """Decode a DICOM file that says of itself nothing else than to be one frontal chest radiograph.

    The image is as stored, turned only where the file says it is mirrored. Raises subclasses of Refusal.
    """
    dataset = read(data, SUPPORTED_SYNTAXES)
    _check_object(dataset)
    _check_view(dataset)
    pixels = grey_pixels(dataset)
    if _mirrored(dataset):
        pixels = np.ascontiguousarray(pixels[:, ::-1])
    turned = MIRROR if _mirrored(dataset) else 1
    return Radiograph(pixels, "application/dicom", instance_uids(dataset), _warnings(dataset), turned)


def _check_object(dataset: Dataset) -> None:
    """Refuse what is not one frame of a radiograph for presentation."""
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


def _check_view(dataset: Dataset) -> None:
    """Refuse another body part and lateral views, by each of the elements that may tell."""
    body_part = set(re.findall(r"[A-Z]+", " ".join(texts(dataset, "BodyPartExamined"))))
    if body_part and body_part.isdisjoint(_CHEST):
        raise NotAChest
    rows_run_to, _ = _orientation(dataset)
    if (
        {text(dataset, "ViewPosition"), *body_part} & _LATERAL_VIEWS
        or codes(dataset, "ViewCodeSequence") & _LATERAL_CODES
        or rows_run_to in ("A", "P")
    ):
        raise LateralView


def _orientation(dataset: Dataset) -> tuple[str, str]:
    """Whither the rows and the columns run in the patient, principal letters only: L and F when upright."""
    rows, columns = [*texts(dataset, "PatientOrientation"), "", ""][:2]
    return rows[:1], columns[:1]


def _mirrored(dataset: Dataset) -> bool:
    return _orientation(dataset) == ("R", "F")


def _warnings(dataset: Dataset) -> tuple[str, ...]:
    age = _AGE.fullmatch(text(dataset, "PatientAge"))
    said = {
        SECONDARY_CAPTURE: text(dataset, "SOPClassUID") in _SECONDARY_CAPTURES,
        MINOR: age is not None and int(age[1]) < _AGES_AT_18[age[2]],
        MIRRORED: _mirrored(dataset),
        TURNED: _orientation(dataset) not in _KNOWN_ORIENTATIONS,
    }
    return tuple(sentence for sentence, applies in said.items() if applies)
