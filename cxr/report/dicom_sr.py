"""A result as a DICOM Comprehensive 3D SR by template TID 1500 (PS3.16), for software.

One group has the scores, the highest scored label and the labels that are not ruled out. It has no finding type, so
that nothing looks like a finding in a viewer that drops the numbers. One further group for each box has the map's
strongest regions.
"""

from typing import Final

import numpy as np
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    Comprehensive3DSR,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    ImageRegion,
    LanguageOfContentItemAndDescendants,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    SourceImageForRegion,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from cxr import __version__
from cxr.anatomy.boxes import Box
from cxr.decode import Source
from cxr.labels import DISCLAIMER, LABELS
from cxr.report.codes import (
    CHEST_RADIOGRAPH,
    COMMENT,
    FINDINGS,
    HIGHEST,
    LUNGS,
    OWN,
    OWN_NAME,
    OWN_OID,
    REGION,
    SCORES,
    SHARE,
    UNDETERMINED,
    Concept,
    not_ruled_out,
    percent_value,
)
from cxr.report.dicom_object import identity, part10, reference
from cxr.report.result import NAME, Result

KIND: Final = "sr"


def structured_report(result: Result, source: Source) -> bytes:
    """The report as a DICOM Part 10 file: complete, preliminary, unverified; 7 to 12 kB, the same bytes each time."""
    radiograph = reference(source)
    regions = [_region(result, radiograph, number, box) for number, box in enumerate(result.explanation.boxes, 1)]
    report = MeasurementReport(
        observation_context=_observer(result),
        procedure_reported=_coded(CHEST_RADIOGRAPH),
        imaging_measurements=[_scores(result, radiograph), *regions],
        title=codes.DCM.ImagingMeasurementReport,
        language_of_content_item_and_descendants=LanguageOfContentItemAndDescendants(
            CodedConcept("en", "RFC5646", "English")
        ),
    )
    made = Comprehensive3DSR(
        evidence=[radiograph],
        content=report,
        is_complete=True,
        is_final=False,
        is_verified=False,
        **identity(result, KIND),
    )
    made.CodingSchemeIdentificationSequence = [_own_scheme()]
    return part10(made, source)


def _observer(result: Result) -> ObservationContext:
    device = DeviceObserverIdentifyingAttributes(
        uid=result.device_uid(),
        name=NAME,
        manufacturer_name=NAME,
        model_name=result.model,
        serial_number=result.bundle.sha256,
    )
    return ObservationContext(
        observer_device_context=ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)
    )


def _scores(result: Result, radiograph: Dataset) -> MeasurementsAndQualitativeEvaluations:
    finding = result.finding
    remains = _coded(not_ruled_out(result.coverage))
    labels = [FINDINGS[label] for label in result.not_ruled_out] or [UNDETERMINED]
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=result.uid("scores"), identifier="Scores of the radiograph"),
        algorithm_id=_algorithm(result),
        finding_sites=[FindingSite(anatomic_location=_coded(LUNGS))],
        measurements=[_percent(SCORES[label], finding.probabilities[label]) for label in LABELS],
        qualitative_evaluations=[
            QualitativeEvaluation(_coded(HIGHEST), _coded(FINDINGS[finding.prediction])),
            *(QualitativeEvaluation(remains, _coded(label)) for label in labels),
        ],
        source_images=[SourceImageForMeasurementGroup(radiograph.SOPClassUID, radiograph.SOPInstanceUID)],
    )
    for text in (DISCLAIMER, result.explanation.statement, *finding.warnings):
        group[0].ContentSequence.append(TextContentItem(_coded(COMMENT), text, RelationshipTypeValues.CONTAINS))
    return group


def _region(
    result: Result, radiograph: Dataset, number: int, box: Box
) -> PlanarROIMeasurementsAndQualitativeEvaluations:
    name = f"Region {number} of {result.map_in_words}"
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=result.uid(f"region {number}"), identifier=name),
        referenced_region=ImageRegion(
            graphic_type="POLYLINE",
            graphic_data=_outline(box),
            source_image=SourceImageForRegion(radiograph.SOPClassUID, radiograph.SOPInstanceUID),
        ),
        finding_type=_coded(REGION),
        algorithm_id=_algorithm(result),
        measurements=[_percent(SHARE, box.share)],
    )


def _outline(box: Box) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """The closed polyline of a box: (column, row) from the first pixel's upper left corner (PS3.3, C.18.6.1.1)."""
    left, top, right, bottom = box.x, box.y, box.x + box.width, box.y + box.height
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)], np.float64)


def _algorithm(result: Result) -> AlgorithmIdentification:
    return AlgorithmIdentification(
        name=NAME,
        version=__version__,
        parameters=[*result.parameters, f"map: {result.map_in_words}"],
        family=codes.cid7162.ArtificialIntelligence,
        manufacturer=NAME,
    )


def _percent(name: Concept, share: float) -> Measurement:
    return Measurement(name=_coded(name), value=percent_value(share), unit=codes.UCUM.Percent)


def _coded(concept: Concept) -> CodedConcept:
    return CodedConcept(concept.value, concept.scheme, concept.meaning)


def _own_scheme() -> Dataset:
    """The identification of our own coding scheme (PS3.3, table C.12-1)."""
    item = Dataset()
    item.CodingSchemeDesignator = OWN
    item.CodingSchemeUID = OWN_OID
    item.CodingSchemeName = OWN_NAME
    item.CodingSchemeResponsibleOrganization = OWN_NAME
    return item
