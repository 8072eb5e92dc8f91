"""The meaning of the service's answers for a node: objects, a final refusal, or another attempt."""

import json

import pytest

from hospital.client import NotNow, Refused, Service
from service.routes.related import related
from tests.hospital.peers import Answer, service

OBJECTS = {"sc": b"a picture\r\n--with\r\nlines", "sr": bytes(range(256))}


def error(status: int, code: str, **headers: str) -> Answer:
    fields = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return status, fields, json.dumps({"error": {"code": code, "message": "", "request_id": ""}}).encode()


def asked(answer: Answer) -> dict[str, bytes]:
    with service(lambda _headers, _body: answer) as url:
        return Service(url).objects(b"radiograph")


def test_objects_as_the_service_sends_them() -> None:
    sent = related(OBJECTS)
    assert asked((200, {"Content-Type": sent.headers["Content-Type"]}, bytes(sent.body))) == OBJECTS


def test_it_asks_for_dicom_with_its_key() -> None:
    heard: list[tuple[dict[str, str], bytes]] = []

    def answer(headers: dict[str, str], body: bytes) -> Answer:
        heard.append((headers, body))
        return error(422, "lateral_view")

    with service(answer) as url, pytest.raises(Refused):
        Service(url, "a key of some length").objects(b"radiograph")
    ((headers, body),) = heard
    assert headers["authorization"] == "Bearer a key of some length"
    assert headers["accept"] == 'multipart/related; type="application/dicom"'
    assert body == b"radiograph"


@pytest.mark.parametrize("status", [400, 406, 413, 415, 422])
def test_answers_that_a_retry_cannot_change(status: int) -> None:
    with pytest.raises(Refused) as caught:
        asked(error(status, "lateral_view"))
    assert caught.value.code == "lateral_view"


@pytest.mark.parametrize(
    ("status", "code", "of_the_file"),
    [
        (401, "unauthorized", False),
        (403, "forbidden", False),
        (408, "upload_too_slow", False),
        (429, "busy", False),
        (503, "explainer_unavailable", False),
        (503, "explainer_died", True),
        (500, "internal_error", True),
        (504, "deadline_exceeded", True),
    ],
)
def test_answers_that_a_retry_may_change(status: int, code: str, of_the_file: bool) -> None:
    with pytest.raises(NotNow) as caught:
        asked(error(status, code, Retry_After="7"))
    assert (caught.value.code, caught.value.of_the_file, caught.value.after_s) == (code, of_the_file, 7)


@pytest.mark.parametrize(
    "answer",
    [
        (502, {"Content-Type": "text/html"}, b"<h1>Bad gateway</h1>"),
        (503, {"Content-Type": "application/json"}, b'{"error": {"code": "CANARY BIRD"}}'),
        (200, {"Content-Type": "text/html"}, b"a login page"),
        (200, {"Content-Type": "multipart/related; boundary=x"}, b""),
    ],
)
def test_answers_of_another_server(answer: Answer) -> None:
    with pytest.raises(NotNow) as caught:
        asked(answer)
    assert caught.value.code in ("status_502", "status_503", "unexpected_answer")


def test_no_server() -> None:
    with service(lambda _headers, _body: error(500, "x")) as url:
        pass
    with pytest.raises(NotNow, match="unreachable"):
        Service(url).objects(b"radiograph")
