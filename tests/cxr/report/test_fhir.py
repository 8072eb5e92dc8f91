"""The FHIR bundle against R4B's models, which serve R4, against its enumerations, and against the DICOM report."""

import json
from dataclasses import replace
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle as FhirBundle

from cxr.labels import DISCLAIMER, DISPLAY_NAMES, LABELS, Label
from cxr.model.bundle import Bundle
from cxr.report.fhir import fhir_bundle
from cxr.report.objects import dicom_objects
from tests import files
from tests.cxr.report.test_dicom_objects import P, read, result_of
from tests.findings import make_finding

# The models take any word for a status. hl7.org/fhir/R4/valueset-….html
STATUSES = {
    "Device": {"active", "inactive", "entered-in-error", "unknown"},
    "Observation": {
        "registered", "preliminary", "final", "amended", "corrected", "cancelled", "entered-in-error", "unknown",
    },
    "DiagnosticReport": {
        "registered", "partial", "preliminary", "final", "amended", "corrected", "appended", "cancelled",
        "entered-in-error", "unknown",
    },
}  # fmt: skip


def resources(data: bytes) -> dict[str, Any]:
    bundle = json.loads(data)
    return {entry["resource"]["resourceType"]: entry["resource"] for entry in bundle["entry"]}


@pytest.mark.parametrize("prediction_set", [(), ("covid19",), LABELS], ids=len)
def test_it_is_valid(bundle: Bundle, prediction_set: tuple[Label, ...]) -> None:
    made = fhir_bundle(result_of(bundle, files.radiograph_dicom(), prediction_set))
    FhirBundle.model_validate_json(made)
    found = resources(made)
    assert set(found) == set(STATUSES)
    for kind, resource in found.items():
        assert resource["status"] in STATUSES[kind]
    assert found["Observation"]["status"] == found["DiagnosticReport"]["status"] == "preliminary"


def test_every_resource_is_marked_as_an_ais(bundle: Bundle) -> None:
    made = fhir_bundle(result_of(bundle, files.radiograph_dicom()))
    for resource in [json.loads(made), *resources(made).values()]:
        assert [label["code"] for label in resource["meta"]["security"]] == ["AIAST"]
    assert DISCLAIMER in resources(made)["DiagnosticReport"]["conclusion"]
    assert "conclusionCode" not in resources(made)["DiagnosticReport"]


def test_references_lead_to_entries(bundle: Bundle) -> None:
    made = json.loads(fhir_bundle(result_of(bundle, files.radiograph_dicom())))
    urls = {entry["fullUrl"] for entry in made["entry"]}
    found = resources(json.dumps(made).encode())
    assert found["Observation"]["device"]["reference"] in urls
    assert found["DiagnosticReport"]["result"][0]["reference"] in urls
    study = files.parse(files.radiograph_dicom()).StudyInstanceUID
    for reference in (*found["Observation"]["derivedFrom"], *found["DiagnosticReport"]["imagingStudy"]):
        assert reference["identifier"] == {"system": "urn:dicom:uid", "value": f"urn:oid:{study}"}


@pytest.mark.parametrize("prediction_set", [(), ("normal", "covid19")], ids=len)
def test_it_says_what_the_report_says(bundle: Bundle, prediction_set: tuple[Label, ...]) -> None:
    data = files.radiograph_dicom()
    result = result_of(bundle, data, prediction_set)
    observation = resources(fhir_bundle(result))["Observation"]
    report = read(dicom_objects(result, data, ["sr"])["sr"])
    (group,) = report.content.get_image_measurement_groups()
    components = [(c["code"]["coding"][0]["code"], c) for c in observation["component"]]
    scores = {code: c["valueQuantity"]["value"] for code, c in components if "valueQuantity" in c}
    assert scores == {m.name.value: m.value for m in group.get_measurements()}
    assert list(scores.values()) == pytest.approx([100 * p for p in P], abs=1e-8)
    remaining = [c["valueCodeableConcept"]["coding"][-1]["code"] for code, c in components if "not-ruled" in code]
    evaluations = [(q.name.value, q.value.value) for q in group.get_qualitative_evaluations()]
    assert remaining == [value for name, value in evaluations if name == "not-ruled-out-90"]
    assert observation["valueCodeableConcept"]["coding"][-1]["code"] == dict(evaluations)["highest-label"]
    assert observation["valueCodeableConcept"]["text"] == DISPLAY_NAMES["covid19"]


def test_it_is_the_same_each_time_and_another_for_another_question(bundle: Bundle) -> None:
    data = files.radiograph_dicom()
    made = fhir_bundle(result_of(bundle, data))
    assert made == fhir_bundle(result_of(bundle, data))
    other = resources(fhir_bundle(result_of(bundle, data, method="lrp")))
    for kind, resource in resources(made).items():
        assert (resource["id"] == other[kind]["id"]) == (kind == "Device")
    assert resources(made)["Device"] == other["Device"]


def test_of_a_picture_it_names_no_study(bundle: Bundle) -> None:
    result = replace(result_of(bundle, files.radiograph_dicom()), finding=make_finding(), subject="0" * 64)
    made = fhir_bundle(result)
    FhirBundle.model_validate_json(made)
    assert "derivedFrom" not in resources(made)["Observation"]
    assert "imagingStudy" not in resources(made)["DiagnosticReport"]


def test_it_names_no_patient(bundle: Bundle) -> None:
    made = fhir_bundle(result_of(bundle, files.radiograph_dicom(PatientName="CANARYBIRD", PatientID="CANARYBIRD")))
    assert b"CANARYBIRD" not in made
    assert b'"subject"' not in made
