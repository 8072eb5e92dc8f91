"""Keys and origins: in process what the boundary says, and live that the door is shut."""

import httpx
import pytest
from pydantic import ValidationError

from scripts.server import Server
from service.access import Keys, Origins
from service.refusals import OtherOrigin, UnknownHost
from service.settings import Settings
from tests import files
from tests.conftest import FIRST, SECOND, WRONG

HERE = {"host": "127.0.0.1:3000"}
ALONE = Origins(keyless=True, loopback_only=True)


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

    monkeypatch.setattr("service.access.hmac.compare_digest", compare)
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


@pytest.mark.parametrize("host", ["127.0.0.1:3000", "127.0.0.2", "localhost", "LOCALHOST:3000", "[::1]:3000", ""])
def test_loopback_by_any_of_its_names(host: str) -> None:
    assert ALONE.refusal("POST", {"host": host}) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:3000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "192.168.0.7:3000",
        "0.0.0.0",
        "[::1",
        "a b",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_name_may_be_anyones(host: str, method: str) -> None:
    assert ALONE.refusal(method, {"host": host}) is UnknownHost
    assert Origins(keyless=True, loopback_only=False).refusal(method, {"host": host}) is None
    assert Origins(keyless=False, loopback_only=True).refusal(method, {"host": host}) is None


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({}, True),
        ({"origin": "http://127.0.0.1:3000"}, True),
        ({"origin": "http://127.0.0.1:3001"}, False),
        ({"origin": "http://localhost:3000"}, False),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"sec-fetch-site": "same-origin", "origin": "https://the.proxys.name"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1:3000"}, False),
    ],
)
@pytest.mark.parametrize("loopback_only", [True, False])
def test_pages_of_another_origin(headers: dict[str, str], passes: bool, loopback_only: bool) -> None:
    origins = Origins(keyless=True, loopback_only=loopback_only)
    assert origins.refusal("POST", HERE | headers) is (None if passes else OtherOrigin)
    assert origins.refusal("GET", HERE | headers) is None, "which it cannot read, and which changes nothing"
    assert Origins(keyless=False, loopback_only=loopback_only).refusal("POST", HERE | headers) is None


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_a_live_server_without_keys_turns_other_pages_away(server: Server) -> None:
    client, png = server.client, files.radiograph_png()
    assert code(client.post("/classify", content=png, headers={"Origin": "http://evil.example"})) == (
        403,
        "other_origin",
    )
    assert code(client.post("/classify", content=png, headers={"Host": "evil.example"})) == (421, "unknown_host")
    assert code(client.get("/", headers={"Host": "evil.example"})) == (421, "unknown_host")
    own = str(client.base_url).rstrip("/")
    assert client.post("/classify", content=png, headers={"Origin": own}).status_code == 200
