"""A result as FHIR R4 (4.0.1): a Bundle of Device, Observation and DiagnosticReport, each marked as made by AI.

Its content is that of the DICOM report, converted by HL7's "DICOM SR to FHIR": the group of scores is an Observation,
the algorithm a Device. It names no patient and refers to the study by its UID. R4 has no element for the regions, so
they are left out.
"""

import json
from base64 import b64encode
from typing import Any, Final

from cxr import __version__
from cxr.labels import DISCLAIMER, DISPLAY_NAMES, LABELS, Label
from cxr.report.codes import (
    CLASSIFICATION,
    FHIR_SYSTEMS,
    FINDINGS,
    LUNGS,
    SCORES,
    UNDETERMINED,
    Concept,
    not_ruled_out,
    percent_value,
)
from cxr.report.pictures import encode
from cxr.report.result import NAME, Result

Json = dict[str, Any]

_TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem"
_ASSERTED_BY_AI: Final = {
    "system": f"{_TERMINOLOGY}/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
_OWN_SYSTEM: Final = FHIR_SYSTEMS[CLASSIFICATION.scheme]


def fhir_bundle(result: Result) -> bytes:
    """The Bundle as JSON, the same bytes each time. Its identifiers are stable, so that a rerun replaces the first."""
    device = _resource("Device", _device(result), str(result.device_uuid()))
    observation = _resource("Observation", _observation(result, device["id"]), str(result.uuid("observation")))
    report = _resource("DiagnosticReport", _report(result, observation["id"]), str(result.uuid("report")))
    resources = [device, observation, report]
    bundle = {
        "resourceType": "Bundle",
        "meta": {"security": [_ASSERTED_BY_AI]},
        "identifier": _identifier(str(result.uuid("bundle"))),
        "type": "collection",
        "entry": [{"fullUrl": _urn(resource["id"]), "resource": resource} for resource in resources],
    }
    return json.dumps(bundle, ensure_ascii=False).encode()


def _resource(kind: str, fields: Json, uuid: str) -> Json:
    head = {"resourceType": kind, "id": uuid, "meta": {"security": [_ASSERTED_BY_AI]}}
    return {**head, "identifier": [_identifier(uuid)], **fields}


def _device(result: Result) -> Json:
    """The algorithm, as TID 4019 of the DICOM report names it."""
    return {
        "status": "active",
        "manufacturer": NAME,
        "serialNumber": result.bundle.sha256,
        "deviceName": [{"name": NAME, "type": "manufacturer-name"}, {"name": result.model, "type": "model-name"}],
        "type": {"text": "Artificial intelligence algorithm"},
        "version": [{"value": __version__}],
        "property": [{"type": {"text": "parameter"}, "valueCode": [{"text": line}]} for line in result.parameters],
        "note": [{"text": DISCLAIMER}],
    }


def _observation(result: Result, device: str) -> Json:
    finding = result.finding
    remains = not_ruled_out(result.coverage)
    return {
        "status": "preliminary",
        "category": [_coding(f"{_TERMINOLOGY}/observation-category", "imaging", "Imaging")],
        "code": _concept(CLASSIFICATION),
        "valueCodeableConcept": _label(finding.prediction),
        "bodySite": _concept(LUNGS),
        "method": {"text": f"{finding.ensemble} of {len(finding.members)}"},
        "device": {"reference": _urn(device)},
        **_from_study(result, "derivedFrom"),
        "note": [{"text": text} for text in (DISCLAIMER, *finding.warnings)],
        "component": [
            *(_score(label, finding.probabilities[label]) for label in LABELS),
            *(
                {"code": _concept(remains), "valueCodeableConcept": label}
                for label in [*map(_label, result.not_ruled_out)] or [_concept(UNDETERMINED)]
            ),
        ],
    }


def _report(result: Result, observation: str) -> Json:
    explanation = result.explanation
    title = f"{result.map_in_words}. Research use only."
    assert explanation.overlay is not None
    picture = b64encode(encode(explanation.overlay)).decode()
    return {
        "status": "preliminary",
        "category": [_coding(f"{_TERMINOLOGY}/v2-0074", "RAD", "Radiology")],
        "code": _coding("http://loinc.org", "36554-4", "XR Chest Single View"),
        "result": [{"reference": _urn(observation)}],
        **_from_study(result, "imagingStudy"),
        "conclusion": f"{explanation.statement} {DISCLAIMER}",
        "presentedForm": [{"contentType": "image/png", "title": title, "data": picture}],
    }


def _from_study(result: Result, element: str) -> Json:
    """A reference to a DICOM file's study; empty for a PNG or a JPEG."""
    instance = result.finding.instance
    if instance is None or not instance.study_instance_uid:
        return {}
    study = {"system": "urn:dicom:uid", "value": f"urn:oid:{instance.study_instance_uid}"}
    return {element: [{"type": "ImagingStudy", "identifier": study}]}


def _score(label: Label, probability: float) -> Json:
    quantity = {
        "value": percent_value(probability),
        "unit": "%",
        "system": "http://unitsofmeasure.org",
        "code": "%",
    }
    return {"code": _concept(SCORES[label]), "valueQuantity": quantity}


def _label(label: Label) -> Json:
    """A label under its own code, and under the code of the finding that it stands for."""
    own = {"system": _OWN_SYSTEM, "code": label, "display": DISPLAY_NAMES[label]}
    return {"coding": [own, *_concept(FINDINGS[label])["coding"]], "text": DISPLAY_NAMES[label]}


def _concept(concept: Concept) -> Json:
    return _coding(FHIR_SYSTEMS[concept.scheme], concept.value, concept.meaning)


def _coding(system: str, code: str, display: str) -> Json:
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def _identifier(uuid: str) -> Json:
    return {"system": "urn:ietf:rfc:3986", "value": _urn(uuid)}


def _urn(uuid: str) -> str:
    return f"urn:uuid:{uuid}"
