"""The live server's answers to valid requests."""

import json
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from PIL import Image

from cxr.labels import DISCLAIMER, LABELS
from cxr.model.bundle import Bundle
from cxr.pipeline import Classifier
from cxr.report.explanation import METHODS
from cxr.report.pictures import PICTURES, Pictures
from scripts.server import Server
from tests import files
from tests.service.forms import FORM, TEXT, form, part

PNG, JPEG, DICOM = "image/png", "image/jpeg", "application/dicom"
BYTES, BATCH = "application/octet-stream", "/v1/classify"
STATUSES = {"400", "401", "403", "405", "406", "408", "413", "415", "421", "429", "431", "503", "504"}
RADIOGRAPHS: dict[str, Callable[[], bytes]] = {
    PNG: files.radiograph_png,
    JPEG: files.radiograph_jpeg,
    DICOM: files.radiograph_dicom,
}
SHAPE = (1955, 1841)


def post(server: Server, url: str, data: bytes, media_type: str, **headers: str) -> httpx.Response:
    return server.client.post(url, content=data, headers={"Content-Type": media_type, **headers})


def answer(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()
    assert result["request_id"] == response.headers["X-Request-ID"]
    return result


@pytest.mark.parametrize("media_type", RADIOGRAPHS)
def test_classify_gives_the_cores_answer(server: Server, bundle: Bundle, media_type: str) -> None:
    data = RADIOGRAPHS[media_type]()
    result = answer(post(server, "/classify", data, media_type))
    finding = Classifier(bundle).classify(data)
    assert result["prediction"] == finding.prediction
    assert result["probabilities"] == pytest.approx(finding.probabilities, abs=1e-6)
    assert result["prediction_set"] == list(finding.prediction_set)
    assert result["warnings"] == list(finding.warnings)
    assert finding.gate is not None
    assert result["gate"] == {"score": pytest.approx(finding.gate.score, abs=1e-6), "verdict": "familiar"}
    assert [member["architecture"] for member in result["members"]] == ["resnet18", "vgg16_bn"]
    assert set(result["timings_ms"]) == {"queue", "decode", "preprocess", "inference"}
    named = {"name": "random", "version": "0", "sha256": bundle.sha256, "site": None, "methods": list(METHODS)}
    assert result["bundle"] == named
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


@pytest.mark.parametrize("media_type", [BYTES, ""])
@pytest.mark.parametrize("kind", RADIOGRAPHS)
def test_the_format_is_recognised_from_the_bytes(server: Server, kind: str, media_type: str) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    response = server.client.post("/classify", content=RADIOGRAPHS[kind](), headers=headers)
    alone = answer(post(server, "/classify", RADIOGRAPHS[kind](), kind))
    assert answer(response)["probabilities"] == alone["probabilities"]


@pytest.mark.parametrize("route", ["/classify", "/explain"])
@pytest.mark.parametrize("kind", RADIOGRAPHS)
def test_a_form_with_one_file_and_texts(server: Server, route: str, kind: str) -> None:
    alone = answer(post(server, "/classify", RADIOGRAPHS[kind](), kind))
    sent = server.client.post(route, data={"study": "abc"}, files={"file": ("a", RADIOGRAPHS[kind]())})
    assert answer(sent)["probabilities"] == alone["probabilities"]


def test_a_preamble_and_a_text_are_not_files(server: Server) -> None:
    body = b"preamble\r\n" + part(b"abc", TEXT) + form(files.radiograph_png())
    response = post(server, BATCH, body, FORM)
    assert ["prediction" in result for result in answer(response)["results"]] == [True]


def test_bentomls_own_client_knows_the_endpoints(server: Server, tmp_path: Path) -> None:
    png = tmp_path / "radiograph.png"
    png.write_bytes(files.radiograph_png())
    code = (
        "import bentoml, json, pathlib, sys; url, png = sys.argv[1], pathlib.Path(sys.argv[2]); "
        "client = bentoml.SyncHTTPClient(url); "
        "print(json.dumps([client.classify(png), client.explain(png), client.classify_batch([png, png])]))"
    )  # in a separate process: the client deletes a folder only when the interpreter ends
    command = [sys.executable, "-W", "ignore", "-c", code, str(server.client.base_url), str(png)]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    classified, explained, batch = json.loads(result.stdout)
    alone = answer(post(server, "/classify", files.radiograph_png(), PNG))
    assert classified["probabilities"] == alone["probabilities"]
    assert explained["explanation"]["target"] == alone["prediction"]
    assert len(batch["results"]) == 2


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
    response = post(server, f"/explain?method={method}&target={target}", files.quarter_png(), PNG)
    explanation = answer(response)["explanation"]
    assert (explanation["method"], explanation["target"]) == (method, target)
    assert (explanation["conservation_error"] is None) == (method != "lrp")
    assert method != "lrp" or explanation["conservation_error"] < 1e-4


@pytest.mark.parametrize("member", ["resnet18-0", "vgg16-bn-1", "ensemble"])
def test_whose_map_may_be_chosen(server: Server, member: str) -> None:
    result = answer(post(server, f"/explain?member={member}", files.quarter_png(), PNG))
    assert result["explanation"]["member"] == member
    assert result["probabilities"] == answer(post(server, "/classify", files.quarter_png(), PNG))["probabilities"]
    assert ("mean of the members' maps" in result["explanation"]["statement"]) == (member == "ensemble")


@pytest.mark.parametrize("spelling", ["gradcam++", "gradcam%2B%2B", "gradcam%20%20"])
def test_the_plus_signs_of_a_method_survive_the_query(server: Server, spelling: str) -> None:
    response = post(server, f"/explain?method={spelling}", files.quarter_png(), PNG)
    assert answer(response)["explanation"]["method"] == "gradcam_plus_plus"


def test_a_picture_for_those_who_accept_only_that(server: Server) -> None:
    data = files.quarter_png()
    overlay = answer(post(server, "/explain", data, PNG))["explanation"]["overlay_png"]
    response = post(server, "/explain", data, PNG, Accept="image/png")
    assert response.headers["Content-Type"] == PNG
    assert response.content == b64decode(overlay)
    for accept, encoding in ((JPEG, "JPEG"), ("image/webp", "WEBP")):
        smaller = post(server, "/explain?pictures=overlay", data, PNG, Accept=accept)
        assert smaller.headers["Content-Type"] == accept
        assert Image.open(BytesIO(smaller.content)).format == encoding
    for accept, media_type in (
        ("image/*", PNG),
        ("image/png;q=0.5, application/json", "application/json"),
        ("image/png;q=0, application/*", "application/json"),
    ):
        assert post(server, "/explain", data, PNG, Accept=accept).headers["Content-Type"] == media_type


@pytest.mark.parametrize("pictures", PICTURES)
def test_pictures_that_are_named_are_there_and_no_others(server: Server, pictures: Pictures) -> None:
    data = files.radiograph_png()
    shown = answer(post(server, f"/explain?pictures={pictures}", data, PNG))["explanation"]
    assert (shown["overlay_png"] is not None) == (pictures in ("overlay", "both"))
    assert (shown["heatmap_png"] is not None) == (pictures in ("heatmap", "both"))
    if shown["heatmap_png"]:
        small = picture(b64decode(shown["heatmap_png"]))
        assert small.shape == (512, 482)
        alone = post(server, "/explain?pictures=heatmap", data, PNG, Accept=PNG)
        assert (picture(alone.content) == small).all()


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/metrics", "/docs.json"])
def test_operators_paths(server: Server, path: str) -> None:
    assert server.client.get(path).status_code == 200


def test_the_description_of_the_api(server: Server) -> None:
    document = json.loads(server.client.get("/docs.json").text)
    assert DISCLAIMER in document["info"]["description"]
    for path in ("/classify", "/explain", "/preview"):
        operation = document["paths"][path]["post"]
        assert set(operation["requestBody"]["content"]) == {PNG, JPEG, DICOM, BYTES, "multipart/form-data"}
        assert set(operation["responses"]) == {"200", "422", *STATUSES}
    assert set(document["paths"][BATCH]["post"]["responses"]) == {"200", *STATUSES}
    assert set(document["components"]["securitySchemes"]) == {"bearer", "key"}
    assert {} in document["security"], "this server has no key"


def picture(png: bytes) -> Any:
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert image is not None
    return image
