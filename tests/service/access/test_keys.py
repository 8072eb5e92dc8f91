"""API keys: the boundary's answers in process, and a live server that refuses."""

import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from cxr.model.bundle import Bundle
from scripts.server import Server, serve
from service.access.keys import Keys
from service.settings import Settings
from tests import files
from tests.conftest import FIRST, SECOND, WRONG

THIRD = "fedcba9876543210"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": "Basic dXNlcg=="}, 401),
        ({"authorization": "Bearer "}, 401),
        ({"authorization": f"Bearer {FIRST}"}, None),
        ({"authorization": f"bearer {SECOND}"}, None),
        ({"x-api-key": SECOND}, None),
        ({"x-api-key": SECOND[:-1]}, 403),
        ({"x-api-key": f"{SECOND}x"}, 403),
        ({"authorization": "Bearer wrong", "x-api-key": SECOND}, 403),
        ({"x-api-key": "é"}, 403),
    ],
)
def test_a_request_passes_with_any_of_the_keys(headers: dict[str, str], status: int | None) -> None:
    assert Keys([FIRST, SECOND]).refusal(headers) == status


def test_without_keys_everyone_passes() -> None:
    assert Keys([]).refusal({}) is None


def test_every_key_is_compared_even_after_a_match(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []

    def compare(left: bytes, right: bytes) -> bool:
        compared.append(right)
        return left == right

    monkeypatch.setattr("service.access.keys.hmac.compare_digest", compare)
    assert Keys([FIRST, SECOND, "third"]).refusal({"x-api-key": FIRST}) is None
    assert len(compared) == 3


def test_keys_are_read_from_one_variable_and_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXR_API_KEYS", f"{FIRST}, {SECOND},")
    settings = Settings()
    assert [key.get_secret_value() for key in settings.api_keys] == [FIRST, SECOND]
    assert "CXR_API_KEYS=2" in str(settings)
    for shown in (str(settings), repr(settings)):
        assert FIRST not in shown
        assert SECOND not in shown


def test_a_short_key_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXR_API_KEYS", "hunter2")
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert "hunter2" not in str(caught.value)


def test_a_live_server_asks_for_its_key_everywhere_but_at_its_probes(server_with_keys: Server) -> None:
    image = files.radiograph_png()
    png = {"Content-Type": "image/png"}
    client = server_with_keys.client
    assert client.post("/classify", content=image, headers=png | {"X-API-Key": SECOND}).status_code == 200
    for path in ("/metrics", "/docs.json", "/schema.json", "/nothing"):
        assert client.get(path).status_code == 401
    answer = client.post("/classify", content=image, headers=png)
    assert answer.json()["error"]["code"] == "unauthorized"
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    wrong = client.post("/classify", content=image, headers=png | {"Authorization": f"Bearer {WRONG}"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (403, "forbidden")
    for path in ("/livez", "/readyz", "/healthz"):
        assert client.get(path).status_code == 200
    document = client.get("/docs.json", headers={"X-API-Key": FIRST}).json()
    assert document["security"] == [{"bearer": []}, {"key": []}]
    assert not any(secret in server_with_keys.log_text() for secret in (FIRST, SECOND, WRONG))


@pytest.mark.slow
def test_a_live_server_follows_a_new_key(bundle: Bundle, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"{FIRST}\n{SECOND}\n")
    with serve(tmp_path / "log", bundle.root, api_keys_file=keys) as server:
        client = server.client
        assert client.get("/docs.json", headers={"X-API-Key": FIRST}).status_code == 200
        keys.write_text(f"{THIRD}\n{SECOND}\n")
        end = time.monotonic() + 10
        while client.get("/docs.json", headers={"X-API-Key": THIRD}).status_code != 200:
            assert time.monotonic() < end, "the new key was not seen"
            time.sleep(0.2)
        assert client.get("/docs.json", headers={"X-API-Key": SECOND}).status_code == 200
        assert client.get("/docs.json", headers={"X-API-Key": FIRST}).status_code == 403
        assert not any(secret in server.log_text() for secret in (FIRST, SECOND, THIRD))
