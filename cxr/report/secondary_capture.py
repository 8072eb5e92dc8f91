"""The overlay as a DICOM Secondary Capture, because hardly any viewer displays a structured report."""

from typing import Final

import numpy as np
from highdicom.sc import SCImage
from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from cxr.decode import Source
from cxr.report.dicom_object import identity, part10, reference
from cxr.report.result import Result

KIND: Final = "sc"

_SECONDARY_CAPTURES: Final = "1.2.840.10008.5.1.4.1.1.7"


def secondary_capture(result: Result, source: Source) -> bytes:
    """The overlay as a DICOM Part 10 file: 8-bit RGB, uncompressed, the same bytes each time.

    The words "research use only" are part of the picture.
    """
    radiograph, overlay = reference(source), result.explanation.overlay
    assert overlay is not None
    made = SCImage.from_ref_dataset(
        radiograph,
        pixel_array=np.asarray(overlay),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "F"),
        **identity(result, KIND),
    )
    made.PatientOrientation = []  # the picture holds two images and text, so the whole has no orientation
    made.BodyPartExamined = "CHEST"  # not a paired part, so Laterality may be absent
    made.pop("Laterality", None)
    made["PixelData"].VR = "OB"
    made.SourceImageSequence = [_referenced(radiograph)]
    made.DerivationDescription = f"{result.map_in_words}, by model {result.model}"
    if annotated := _burned_in(source):
        made.BurnedInAnnotation = annotated
    return part10(made, source)


def _referenced(radiograph: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = radiograph.SOPClassUID
    item.ReferencedSOPInstanceUID = radiograph.SOPInstanceUID
    item.PurposeOfReferenceCodeSequence = [CodedConcept.from_code(codes.DCM.SourceImageForImageProcessingOperation)]
    return item


def _burned_in(source: Source) -> str:
    """Whether the pixels may contain names: as the file states. For a secondary capture it is unknown, so YES."""
    if source["SOPClassUID"].startswith(_SECONDARY_CAPTURES) and source["BurnedInAnnotation"] != "NO":
        return "YES"
    return source["BurnedInAnnotation"]
