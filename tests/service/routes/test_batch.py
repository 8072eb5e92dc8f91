"""`POST /v1/classify`, live: answers in order, and a bad file affects no other."""

from typing import Any

from cxr.errors import EmptyInput, NotDecodable
from scripts.server import Server
from service.limits import MAX_FILES
from service.refusals import MalformedForm, NotAForm, TooManyFiles
from tests import files
from tests.service.test_metrics import count, scrape


def post(server: Server, *contents: bytes) -> Any:
    parts = [("files", (f"CANARY{i}.dcm", data, "application/octet-stream")) for i, data in enumerate(contents)]
    return server.client.post("/v1/classify", files=parts)


def test_each_file_gets_the_answer_of_classify(server: Server) -> None:
    contents = [files.radiograph_png(), files.radiograph_dicom(), files.radiograph_jpeg()]
    types = ["image/png", "application/dicom", "image/jpeg"]
    batch = post(server, *contents)
    assert batch.status_code == 200
    assert batch.json()["request_id"] == batch.headers["X-Request-ID"]
    for content, media_type, result in zip(contents, types, batch.json()["results"], strict=True):
        alone = server.client.post("/classify", content=content, headers={"Content-Type": media_type}).json()
        for key in set(alone) - {"request_id", "timings_ms"}:
            assert result[key] == alone[key]


def test_a_bad_file_affects_no_other(server: Server) -> None:
    before = scrape(server)
    batch = post(server, files.radiograph_png(), files.text_file(), b"", files.lateral_dicom(), files.radiograph_jpeg())
    results = batch.json()["results"]
    codes = [result.get("error", {}).get("code") for result in results]
    assert codes == [None, "not_decodable", "empty_input", "lateral_view", None]
    assert results[1]["error"]["message"] == NotDecodable.message
    after = scrape(server)
    grown = {key: after[key] - before.get(key, 0) for key in after}
    assert count(grown, "cxr_errors_total", code="lateral_view") == 1
    assert count(grown, "cxr_request_seconds_count", route="/v1/classify", status="200") == 1
    assert count(grown, "cxr_decode_seconds_count") == 2


def test_file_names_are_in_no_answer_and_no_log(server: Server) -> None:
    batch = post(server, files.radiograph_png(), files.text_file())
    assert "CANARY" not in batch.text
    line = server.log_line(batch.headers["X-Request-ID"])
    assert '"route": "/v1/classify"' in line
    assert "CANARY" not in server.log_text()


def test_forms_that_are_refused_whole(server: Server) -> None:
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    for data, headers, refusal in (
        (files.radiograph_png(), {"Content-Type": "image/png"}, NotAForm),
        (b"--x\r\n", form, MalformedForm),
        (b"--x--\r\n", form, EmptyInput),
    ):
        answer = server.client.post("/v1/classify", content=data, headers=headers)
        assert answer.json()["error"]["code"] == refusal.code
        assert 400 <= answer.status_code < 500
    assert post(server, *[b"1"] * (MAX_FILES + 1)).json()["error"]["code"] == TooManyFiles.code


def test_a_form_may_be_larger_than_a_file(server: Server) -> None:
    large = files.large_radiograph_dicom()
    batch = post(server, large, large, large)
    assert [result.get("prediction") is not None for result in batch.json()["results"]] == [True] * 3
    too_large = bytes(65 * 2**20)
    batch = post(server, too_large, files.radiograph_png())
    assert batch.json()["results"][0]["error"]["code"] == "body_too_large"
    assert "prediction" in batch.json()["results"][1]
