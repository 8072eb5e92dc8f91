"""Origins: which requests are refused, in process and on a live server."""

import httpx
import pytest

from scripts.server import Server
from service.access.origins import Origins
from service.refusals import OtherOrigin, UnknownHost
from tests import files

HERE = {"host": "127.0.0.1:3000"}
ALONE = Origins(keyless=True, loopback_only=True)


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
def test_other_host_names_are_refused(host: str, method: str) -> None:
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


def test_a_live_server_without_keys_refuses_other_pages(server: Server) -> None:
    client, png = server.client, files.radiograph_png()
    assert code(client.post("/classify", content=png, headers={"Origin": "http://evil.example"})) == (
        403,
        "other_origin",
    )
    assert code(client.post("/classify", content=png, headers={"Host": "evil.example"})) == (421, "unknown_host")
    assert code(client.get("/", headers={"Host": "evil.example"})) == (421, "unknown_host")
    own = str(client.base_url).rstrip("/")
    assert client.post("/classify", content=png, headers={"Origin": own}).status_code == 200
