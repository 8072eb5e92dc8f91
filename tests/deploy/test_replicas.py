"""Two replicas behind Debian's nginx, with the configuration that `deploy/compose.yaml` mounts."""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

from cxr.model.bundle import Bundle
from loadtests.golden import golden_requests
from loadtests.replicas import fell, unretried
from loadtests.samples import Sample, radiographs
from scripts.proxy import nginx, proxy
from scripts.server import Server, free_port, serve

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(nginx() is None or os.geteuid() != 0, reason="needs Debian's nginx, and root to run it"),
]

Replicas = tuple[list[Server], httpx.Client]


@pytest.fixture(scope="module")
def png() -> Sample:
    return next(sample for sample in radiographs(1) if sample.media_type == "image/png")


@pytest.fixture(scope="module")
def replicas(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    """Two replicas, and a client of the proxy before them."""
    logs = tmp_path_factory.mktemp("replicas")
    with ExitStack() as stack:
        servers = [stack.enter_context(serve(logs / f"{i}", bundle.root)) for i in range(2)]
        addresses = [str(server.client.base_url).removeprefix("http://").rstrip("/") for server in servers]
        url = stack.enter_context(proxy(addresses))
        yield servers, stack.enter_context(httpx.Client(base_url=url, timeout=60))


def answers_of(server: Server) -> int:
    """Requests to /classify in a replica's log."""
    return server.log_text().count("/classify")


def test_both_replicas_get_work(replicas: Replicas, png: Sample) -> None:
    servers, client = replicas
    before = [answers_of(server) for server in servers]
    for _ in range(6):
        answer = client.post("/classify", content=png.data, headers={"Content-Type": png.media_type})
        assert answer.status_code == 200
    assert all(answers_of(server) > count for server, count in zip(servers, before, strict=True))


def test_bodies_of_more_than_nginxs_megabyte_pass(replicas: Replicas) -> None:
    _, client = replicas
    dicom = next(sample for sample in radiographs(1) if sample.media_type == "application/dicom")
    assert len(dicom.data) > 5_000_000
    assert client.post("/classify", content=dicom.data, headers={"Content-Type": dicom.media_type}).status_code == 200


def test_the_proxys_own_errors_have_the_services_format(replicas: Replicas) -> None:
    _, client = replicas
    connection = HTTPConnection(client.base_url.host, client.base_url.port)
    connection.putrequest("POST", "/classify")
    connection.putheader("Content-Length", str(300 << 20))
    connection.endheaders()  # no body is sent: the declared length is refused
    refused = connection.getresponse()
    assert refused.status == 413
    assert set(json.load(refused)["error"]) == {"code", "message", "request_id"}
    connection.close()
    with proxy([f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"]) as url:
        answer = httpx.post(f"{url}/classify", content=b"1", headers={"Content-Type": "image/png"})
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert set(answer.json()["error"]) == {"code", "message", "request_id"}


def test_the_retry_goes_to_the_other_replica(replicas: Replicas, bundle: Bundle, tmp_path: Path) -> None:
    """A third replica is killed under load three times, beside one that keeps running."""
    servers, _ = replicas
    asked = [
        q for q in golden_requests(radiographs(1), explain=False, bundle=bundle) if q.sample.media_type == "image/jpeg"
    ]
    port = free_port()
    stays = str(servers[0].client.base_url).removeprefix("http://").rstrip("/")
    with proxy([stays, f"127.0.0.1:{port}"]) as url:
        outcome = fell(url, asked, tmp_path / "log", port, bundle.root, times=3)
    assert outcome.replies
    assert unretried(outcome) == []
    assert all(reply.right for reply in outcome.replies)
