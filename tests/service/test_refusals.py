"""Every refusal: its status, its fixed message, and a log without a traceback."""

import json
import zlib
from collections.abc import Callable, Iterator

import httpx
import pytest

from cxr import errors
from cxr.errors import Refusal
from cxr.limits import MAX_BYTES
from scripts.server import Server
from service import refusals
from service.errors import HTTP_ERRORS
from service.refusals import BodyEncoded, NotAcceptable, SeveralFiles, UnknownParameter
from tests import files
from tests.service.forms import form

PNG, JPEG, DICOM = "image/png", "image/jpeg", "application/dicom"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=x"
TOO_MUCH = bytes(80_000_000)

Case = tuple[Callable[[], bytes], str, int, type[Refusal]]

CASES: dict[str, Case] = {
    "empty": (files.empty, PNG, 400, errors.EmptyInput),
    "text": (files.text_file, "text/plain", 415, refusals.UnsupportedMedia),
    "text called PNG": (files.text_file, PNG, 422, errors.NotDecodable),
    "form post": (lambda: b"image=1", FORM, 415, refusals.UnsupportedMedia),
    "text without a type": (files.text_file, "", 422, errors.NotDecodable),
    "text as bytes": (files.text_file, "application/octet-stream", 422, errors.NotDecodable),
    "empty form": (lambda: b"--x--", MULTIPART, 400, errors.EmptyInput),
    "half a form": (lambda: b"--x\r\n", MULTIPART, 400, refusals.MalformedForm),
    "two files": (lambda: form(b"1", b"2"), MULTIPART, 400, SeveralFiles),
    "form with an empty file": (lambda: form(b""), MULTIPART, 400, errors.EmptyInput),
    "form with a text": (lambda: form(files.text_file()), MULTIPART, 422, errors.NotDecodable),
    "truncated PNG": (files.truncated_png, PNG, 422, errors.Truncated),
    "truncated JPEG": (files.truncated_jpeg, JPEG, 422, errors.Truncated),
    "truncated DICOM": (files.truncated_dicom, DICOM, 422, errors.Truncated),
    "20,000 × 20,000 PNG": (files.png_of_400_megapixels, PNG, 413, errors.TooManyPixels),
    "169-megapixel PNG": (files.png_of_169_megapixels, PNG, 413, errors.TooManyPixels),
    "80 MB": (lambda: TOO_MUCH, DICOM, 413, errors.BodyTooLarge),
    "lateral view": (files.lateral_dicom, DICOM, 422, errors.LateralView),
    "lower leg": (files.lower_leg_dicom, DICOM, 422, errors.NotAChest),
    "CT": (files.ct_dicom, DICOM, 422, errors.NotARadiograph),
    "multi-frame": (files.multiframe_dicom, DICOM, 422, errors.MultiFrame),
    "for processing": (files.for_processing_dicom, DICOM, 422, errors.ForProcessing),
    "deflated bomb": (files.deflated_bomb_dicom, DICOM, 422, errors.DeflatedDicom),
    "no pixels": (files.dicom_without_pixels, DICOM, 422, errors.NoPixels),
}


def check(server: Server, response: httpx.Response, status: int, code: str, message: str) -> None:
    """Check the form of an error, and that its log line contains nothing else."""
    request_id = response.headers["X-Request-ID"]
    assert response.status_code == status
    assert response.json() == {"error": {"code": code, "message": message, "request_id": request_id}}
    line = json.loads(server.log_line(request_id))
    assert (line["status"], line["code"]) == (status, code)


@pytest.fixture(autouse=True)
def no_traceback(server: Server) -> Iterator[None]:
    before = len(server.log_text())
    yield
    log = server.log_text()[before:]
    assert "Traceback" not in log
    assert "ERROR" not in log


@pytest.mark.parametrize("route", ["/classify", "/explain", "/preview"])
@pytest.mark.parametrize("case", CASES)
def test_refused(server: Server, route: str, case: str) -> None:
    build, media_type, status, refusal = CASES[case]
    headers = {"Content-Type": media_type} if media_type else {}
    response = server.client.post(route, content=build(), headers=headers)
    check(server, response, status, refusal.code, refusal.message)


@pytest.mark.parametrize("route", ["/classify", "/explain", "/preview"])
def test_too_much_in_chunks(server: Server, route: str) -> None:
    chunks = (TOO_MUCH[start : start + 2**20] for start in range(0, len(TOO_MUCH), 2**20))
    response = server.client.post(route, content=chunks, headers={"Content-Type": DICOM})
    check(server, response, 413, errors.BodyTooLarge.code, errors.BodyTooLarge.message)
    assert len(TOO_MUCH) > MAX_BYTES


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        ("method=lime-CANARY", refusals.UnknownMethod),
        ("method=", refusals.UnknownMethod),
        ("method=gradcam%2B%2B%2B", refusals.UnknownMethod),
        ("target=tuberculosis-CANARY", refusals.UnknownTarget),
        ("target=COVID19", refusals.UnknownTarget),
        ("target=", refusals.UnknownTarget),
        ("member=alexnet-CANARY", errors.UnknownMember),
        ("member=Ensemble", errors.UnknownMember),
        ("member=", errors.UnknownMember),
        ("pictures=all-CANARY", refusals.UnknownPictures),
        ("pictures=", refusals.UnknownPictures),
        ("method=opacity&member=vgg16-bn-1", errors.NoOpacityHead),
        ("method=opacity&member=ensemble", errors.NoOpacityHead),
    ],
)
def test_unknown_parameters_are_not_echoed(server: Server, query: str, refusal: type[Refusal]) -> None:
    # The body is not read: otherwise its media type would be refused.
    response = server.client.post(f"/explain?{query}", content=b"text", headers={"Content-Type": "text/plain"})
    check(server, response, 400, refusal.code, refusal.message)
    assert "CANARY" not in response.text


@pytest.mark.parametrize(
    "url",
    [
        "/explain?targets=CANARY",
        "/explain?method=lrp&method=CANARY",
        "/explain?method=gradcam&CANARY",
        "/classify?method=lrp",
        "/classify?CANARY=",
        "/preview?method=lrp",
        "/v1/classify?target=covid19",
    ],
)
def test_parameters_unknown_or_doubled(server: Server, url: str) -> None:
    response = server.client.post(url, content=b"text", headers={"Content-Type": "text/plain"})
    check(server, response, 400, UnknownParameter.code, UnknownParameter.message)


@pytest.mark.parametrize("route", ["/classify", "/explain", "/preview", "/v1/classify"])
@pytest.mark.parametrize("coding", ["gzip", "deflate", "CANARY", "identity, br"])
def test_encoded_bodies(server: Server, route: str, coding: str) -> None:
    headers = {"Content-Type": PNG, "Content-Encoding": coding}
    response = server.client.post(route, content=zlib.compress(files.quarter_png()), headers=headers)
    check(server, response, 415, BodyEncoded.code, BodyEncoded.message)
    assert response.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("route", "accept"),
    [
        ("/classify", "image/png"),
        ("/classify", "text/html"),
        ("/classify", "*/*;q=0"),
        ("/v1/classify", "application/json;q=0, */*"),
        ("/preview", "image/png"),
        ("/explain", "image/gif, CANARY/CANARY"),
        ("/explain?pictures=none", "image/png"),
        ("/explain?pictures=heatmap", "image/jpeg"),
        ("/explain?pictures=overlay", "application/dicom"),
    ],
)
def test_unacceptable_answers(server: Server, route: str, accept: str) -> None:
    headers = {"Content-Type": PNG, "Accept": accept}
    response = server.client.post(route, content=files.quarter_png(), headers=headers)
    check(server, response, 406, NotAcceptable.code, NotAcceptable.message)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("POST", "/", 405),
        ("GET", "/static_content/index.html", 404),
        ("POST", "/explain/", 404),
        ("GET", "/classify", 405),
        ("GET", "/preview", 405),
        ("DELETE", "/explain", 405),
        ("POST", "/metrics", 405),
    ],
)
def test_paths_and_methods(server: Server, method: str, path: str, status: int) -> None:
    check(server, server.client.request(method, path), status, *HTTP_ERRORS[status])
