"""The live server's answers for other systems: DICOM objects and FHIR, with the figures of /classify."""

import email.message
import email.policy
import json
from email.parser import BytesParser
from io import BytesIO
from pathlib import Path
from typing import Any

import highdicom
import httpx
import pytest
from fhir.resources.R4B.bundle import Bundle as FhirBundle

from cxr.errors import NeedsDicom, NoInstance
from cxr.labels import LABELS
from scripts.server import Server
from service.refusals import NotAcceptable, UnknownObject
from tests import files
from tests.dicom_tools import errors, faults, legal_dx, needs_dciodvfy

DICOM, FHIR, PNG, RELATED = "application/dicom", "application/fhir+json", "image/png", "multipart/related"
BOTH = f'{RELATED}; type="{DICOM}"'


def ask(server: Server, accept: str, content: bytes = b"", **query: str) -> httpx.Response:
    headers = {"Content-Type": DICOM, "Accept": accept}
    return server.client.post("/explain", content=content or files.quarter_dicom(), headers=headers, params=query)


def classified(server: Server, data: bytes | None = None) -> dict[str, Any]:
    answer = server.client.post("/classify", content=data or files.quarter_dicom())
    result: dict[str, Any] = answer.json()
    return result


def parts(response: httpx.Response) -> dict[str, bytes]:
    """The parts of a multipart/related answer by Content-ID, read by an independent parser."""
    assert response.status_code == 200, response.text
    head = f"Content-Type: {response.headers['Content-Type']}\r\n\r\n".encode()
    message = BytesParser(policy=email.policy.HTTP).parsebytes(head + response.content)
    assert not message.defects
    found = {}
    for part in message.walk():
        if not part.is_multipart():
            assert part.get_content_type() == DICOM
            payload = part.get_payload(decode=True)
            assert isinstance(payload, bytes)
            found[str(part["Content-ID"]).strip("<>")] = payload
    return found


@pytest.mark.parametrize("data", [files.quarter_dicom, legal_dx])
def test_the_reports_figures_are_classifys(server: Server, data: Any) -> None:
    told = classified(server, data())
    response = ask(server, DICOM, data(), object="sr")
    assert response.headers["Content-Type"] == DICOM
    report = highdicom.sr.srread(BytesIO(response.content))
    (group,) = report.content.get_image_measurement_groups()  # type: ignore[attr-defined]
    scores = {m.name.value.removeprefix("score-"): m.value / 100 for m in group.get_measurements()}
    assert scores == pytest.approx({label: told["probabilities"][label] for label in LABELS}, abs=1e-9)
    said = [q for q in group.get_qualitative_evaluations() if q.name.value.startswith("not-ruled-out")]
    assert len(said) == max(1, len(told["prediction_set"]))
    assert report.StudyInstanceUID == told["instance"]["study_instance_uid"]


def test_fhirs_figures_are_classifys(server: Server) -> None:
    told = classified(server)
    response = ask(server, FHIR)
    assert response.headers["Content-Type"] == FHIR
    FhirBundle.model_validate_json(response.content)
    resources = {entry["resource"]["resourceType"]: entry["resource"] for entry in response.json()["entry"]}
    components = resources["Observation"]["component"]
    scores = {
        c["code"]["coding"][0]["code"].removeprefix("score-"): c["valueQuantity"]["value"] / 100
        for c in components
        if "valueQuantity" in c
    }
    assert scores == pytest.approx(told["probabilities"], abs=1e-9)
    assert resources["Observation"]["valueCodeableConcept"]["coding"][0]["code"] == told["prediction"]
    remaining = [c["valueCodeableConcept"]["coding"][0]["code"] for c in components if "valueQuantity" not in c]
    assert remaining == told["prediction_set"] or told["prediction_set"] == []


@pytest.mark.parametrize("media_type", [PNG, "image/jpeg"])
def test_fhir_of_a_picture(server: Server, media_type: str) -> None:
    data = files.quarter_png() if media_type == PNG else files.radiograph_jpeg()
    response = server.client.post("/explain", content=data, headers={"Content-Type": media_type, "Accept": FHIR})
    FhirBundle.model_validate_json(response.content)
    assert "imagingStudy" not in response.text


@needs_dciodvfy
def test_objects_of_the_live_server_are_legal(server: Server, tmp_path: Path) -> None:
    for found in parts(ask(server, BOTH)).values():
        assert not errors(found, tmp_path)
    for found in parts(ask(server, BOTH, legal_dx())).values():
        assert not faults(found, tmp_path)


@pytest.mark.parametrize("accept", [DICOM, RELATED, "application/dicom, */*;q=0.1"])
def test_both_objects_where_none_is_named(server: Server, accept: str) -> None:
    found = parts(ask(server, accept))
    assert {name: files.parse(data).Modality for name, data in found.items()} == {"sc": "OT", "sr": "SR"}


@pytest.fixture(scope="module")
def both(server: Server) -> dict[str, bytes]:
    return parts(ask(server, BOTH))


@pytest.mark.parametrize(
    ("name", "accept", "media_type"),
    [("sc", DICOM, DICOM), ("sr", "*/*", DICOM), ("sr", "application/*", DICOM), ("sr", BOTH, RELATED)],
)
def test_the_object_that_is_named(
    server: Server, both: dict[str, bytes], name: str, accept: str, media_type: str
) -> None:
    response = ask(server, accept, object=name)
    assert response.headers["Content-Type"].split(";")[0] == media_type
    assert (response.content if media_type == DICOM else parts(response)[name]) == both[name]


def test_the_same_bytes_and_uids_each_time_and_others_of_another_map(server: Server, both: dict[str, bytes]) -> None:
    assert parts(ask(server, BOTH)) == both
    other = parts(ask(server, BOTH, method="gradcam", member="ensemble"))
    assert files.parse(both["sr"]).SOPInstanceUID != files.parse(other["sr"]).SOPInstanceUID
    assert ask(server, FHIR).content == ask(server, FHIR).content


@pytest.mark.parametrize("accept", [DICOM, BOTH])
@pytest.mark.parametrize("data", [files.quarter_png, files.radiograph_jpeg])
def test_no_object_of_a_picture(server: Server, data: Any, accept: str) -> None:
    response = ask(server, accept, data())
    assert response.status_code == 406
    assert response.json()["error"]["code"] == NeedsDicom.code


@pytest.mark.parametrize(
    ("accept", "query", "status", "code"),
    [
        ("application/json", {"object": "sr"}, 406, NotAcceptable.code),
        (DICOM, {"object": "seg"}, 400, UnknownObject.code),
        ("text/html", {}, 406, NotAcceptable.code),
    ],
)
def test_refusals(server: Server, accept: str, query: dict[str, str], status: int, code: str) -> None:
    response = ask(server, accept, b"", **query)
    assert response.status_code == status
    assert response.json()["error"]["code"] == code


def test_a_file_that_does_not_name_itself_has_no_object_but_an_answer(server: Server) -> None:
    nameless = files.radiograph_dicom(StudyInstanceUID=None)
    response = ask(server, DICOM, nameless)
    assert response.status_code == 422
    assert response.json()["error"]["code"] == NoInstance.code
    assert ask(server, "application/json", nameless).status_code == 200
    assert "imagingStudy" not in ask(server, FHIR, nameless).text


def test_the_document_names_the_forms(server: Server) -> None:
    document = json.loads(server.client.get("/docs.json").text)
    operation = document["paths"]["/explain"]["post"]
    assert set(operation["responses"]["200"]["content"]) == {
        *("application/json", PNG, "image/jpeg", "image/webp"),
        *(DICOM, RELATED, FHIR),
    }
    (named,) = [parameter for parameter in operation["parameters"] if parameter["name"] == "object"]
    assert named["schema"]["enum"] == ["sc", "sr"]
