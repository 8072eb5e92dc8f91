"""What the live server answers to what it can answer."""

import json
from base64 import b64decode
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from cxr.labels import DISCLAIMER, LABELS
from cxr.model.bundle import Bundle
from cxr.pipeline import Classifier
from cxr.report.explanation import METHODS
from scripts.server import Server
from tests import files

PNG, JPEG, DICOM = "image/png", "image/jpeg", "application/dicom"
RADIOGRAPHS = {PNG: files.radiograph_png, JPEG: files.radiograph_jpeg, DICOM: files.radiograph_dicom}
SHAPE = (1955, 1841)


def post(server: Server, url: str, data: bytes, media_type: str, **headers: str) -> httpx.Response:
    return server.client.post(url, content=data, headers={"Content-Type": media_type, **headers})


def answer(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()
    assert result["request_id"] == response.headers["X-Request-ID"]
    return result


@pytest.mark.parametrize("media_type", RADIOGRAPHS)
def test_classify_says_what_the_core_says(server: Server, bundle: Bundle, media_type: str) -> None:
    data = RADIOGRAPHS[media_type]()
    result = answer(post(server, "/classify", data, media_type))
    finding = Classifier(bundle).classify(data)
    assert result["prediction"] == finding.prediction
    assert result["probabilities"] == pytest.approx(finding.probabilities, abs=1e-6)
    assert result["prediction_set"] == list(finding.prediction_set)
    assert result["warnings"] == list(finding.warnings)
    assert [member["architecture"] for member in result["members"]] == ["resnet18", "vgg16_bn"]
    assert set(result["timings_ms"]) == {"queue", "decode", "preprocess", "inference"}
    assert result["bundle"] == {"name": "random", "version": "0"}
    assert result["disclaimer"] == DISCLAIMER
    assert sum(result["probabilities"].values()) == pytest.approx(1)


def test_only_dicom_names_its_instance(server: Server) -> None:
    dicom = answer(post(server, "/classify", files.radiograph_dicom(), DICOM))
    uids = files.parse(files.radiograph_dicom())
    assert dicom["instance"] == {
        "sop_instance_uid": uids.SOPInstanceUID,
        "series_instance_uid": uids.SeriesInstanceUID,
        "study_instance_uid": uids.StudyInstanceUID,
    }
    assert answer(post(server, "/classify", files.radiograph_png(), PNG))["instance"] is None


@pytest.mark.parametrize("media_type", ["image/png; charset=binary", "IMAGE/PNG", "image/png;q=1 ; x=y"])
def test_parameters_of_the_media_type_are_tolerated(server: Server, media_type: str) -> None:
    answer(post(server, "/classify", files.radiograph_png(), media_type))


def test_a_large_16_bit_radiograph(server: Server) -> None:
    data = files.large_radiograph_dicom()
    assert len(data) > 30_000_000
    answer(post(server, "/classify", data, DICOM))


def test_a_chunked_body(server: Server) -> None:
    data = files.radiograph_dicom()
    chunks = (data[start : start + 65536] for start in range(0, len(data), 65536))
    response = server.client.post("/classify", content=chunks, headers={"Content-Type": DICOM})
    assert "content-length" not in response.request.headers
    answer(response)


@pytest.mark.parametrize("media_type", RADIOGRAPHS)
def test_explain_has_classifys_label_and_probabilities(server: Server, media_type: str) -> None:
    data = RADIOGRAPHS[media_type]()
    alone = answer(post(server, "/classify", data, media_type))
    result = answer(post(server, "/explain", data, media_type))
    for key in set(alone) - {"request_id", "timings_ms"}:
        assert result[key] == alone[key]
    explanation = result["explanation"]
    assert explanation["method"] == "gradcam_plus_plus"
    assert explanation["target"] == alone["prediction"]
    assert explanation["member"] == "resnet18-0"
    assert explanation["statement"]
    assert sum(zone["share"] for zone in explanation["zones"]) == pytest.approx(1)
    assert explanation["no_lungs"] == ""
    assert explanation["boxes"]
    for box in explanation["boxes"]:
        assert 0 <= box["x"] < box["x"] + box["width"] <= SHAPE[1]
        assert 0 <= box["y"] < box["y"] + box["height"] <= SHAPE[0]
    assert picture(b64decode(explanation["heatmap_png"])).shape == SHAPE
    assert picture(b64decode(explanation["overlay_png"])).ndim == 3


@pytest.mark.parametrize("target", LABELS)
@pytest.mark.parametrize("method", METHODS)
def test_methods_and_targets(server: Server, method: str, target: str) -> None:
    response = post(server, f"/explain?method={method}&target={target}", files.radiograph_png(), PNG)
    explanation = answer(response)["explanation"]
    assert (explanation["method"], explanation["target"]) == (method, target)
    assert (explanation["conservation_error"] is None) == (method != "lrp")
    assert method != "lrp" or explanation["conservation_error"] < 1e-4


@pytest.mark.parametrize("member", ["resnet18-0", "vgg16-bn-1", "ensemble"])
def test_whose_map_may_be_chosen(server: Server, member: str) -> None:
    result = answer(post(server, f"/explain?member={member}", files.radiograph_png(), PNG))
    assert result["explanation"]["member"] == member
    assert result["probabilities"] == answer(post(server, "/classify", files.radiograph_png(), PNG))["probabilities"]
    assert ("mean of the members' maps" in result["explanation"]["statement"]) == (member == "ensemble")


@pytest.mark.parametrize("spelling", ["gradcam++", "gradcam%2B%2B", "gradcam%20%20"])
def test_the_plus_signs_of_a_method_survive_the_query(server: Server, spelling: str) -> None:
    response = post(server, f"/explain?method={spelling}", files.radiograph_png(), PNG)
    assert answer(response)["explanation"]["method"] == "gradcam_plus_plus"


def test_a_picture_for_those_who_accept_only_that(server: Server) -> None:
    data = files.radiograph_png()
    overlay = answer(post(server, "/explain", data, PNG))["explanation"]["overlay_png"]
    response = post(server, "/explain", data, PNG, Accept="image/png")
    assert response.headers["Content-Type"] == PNG
    assert response.content == b64decode(overlay)
    both = post(server, "/explain", data, PNG, Accept="image/png;q=0.5, application/json")
    assert both.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/metrics", "/docs.json"])
def test_operators_paths(server: Server, path: str) -> None:
    assert server.client.get(path).status_code == 200


def test_the_description_of_the_api(server: Server) -> None:
    document = json.loads(server.client.get("/docs.json").text)
    assert DISCLAIMER in document["info"]["description"]
    for path in ("/classify", "/explain"):
        operation = document["paths"][path]["post"]
        assert set(operation["requestBody"]["content"]) == {PNG, JPEG, DICOM}
        assert {"400", "413", "415", "422", "503", "504"} <= set(operation["responses"])


def picture(png: bytes) -> Any:
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert image is not None
    return image
