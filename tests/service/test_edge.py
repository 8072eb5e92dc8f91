"""Known attacks on the HTTP side against a real server: another client is not affected."""

import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self

import httpx
import psutil
import pytest

from cxr.model.bundle import Bundle
from scripts.server import Server, serve
from service.bento.protocol import HEAD_S
from tests import files

pytestmark = pytest.mark.slow

MIB = 1 << 20
ROUNDS = 5
PNG = {"Content-Type": "image/png"}
GET = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture(scope="module")
def api(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without an explainer."""
    log = tmp_path_factory.mktemp("edge") / "log"
    with serve(log, bundle.root, ("service.bento.classifier:ApiWithoutExplainer",)) as running:
        yield running


class Beside(threading.Thread):
    """A client that classifies and probes on separate connections while the context lasts, or a little longer."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._url = server.client.base_url
        self._over = threading.Event()
        self._rounds = 0
        self.statuses: set[int] = set()
        self.failures: list[Exception] = []

    def run(self) -> None:
        image = files.radiograph_png()
        while not self._over.wait(0.05) or self._rounds < ROUNDS:
            self._rounds += 1
            try:
                with httpx.Client(base_url=self._url, timeout=60) as client:
                    self.statuses.add(client.get("/livez").status_code)
                    self.statuses.add(client.post("/classify", content=image, headers=PNG).status_code)
            except httpx.TransportError as error:
                self.failures.append(error)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()
        assert self.failures == []
        assert self.statuses == {200}


def connect(server: Server) -> socket.socket:
    port = server.client.base_url.port
    assert port is not None
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def received(connection: socket.socket) -> bytes:
    """Everything received until the other side closes."""
    got = b""
    with suppress(ConnectionError):
        while data := connection.recv(65536):
            got += data
    return got


def worker(server: Server) -> psutil.Process:
    return server.worker("_bentoml_impl.worker.service")


@contextmanager
def connections(server: Server, count: int, sent: bytes = b"") -> Iterator[list[socket.socket]]:
    """Open this many connections, and send this on each."""
    with ExitStack() as stack:
        opened = []
        for _ in range(count):
            opened.append(stack.enter_context(connect(server)))
            opened[-1].sendall(sent)
        yield opened


def fields() -> Iterator[bytes]:
    """64 MiB of short header fields."""
    megabyte = b"".join(b"%04x:x\r\n" % i for i in range(MIB // 8))
    yield from [megabyte] * 64


def long_field() -> Iterator[bytes]:
    """One header field of 64 MiB."""
    yield b"X: "
    yield from [b"x" * MIB] * 64


@pytest.mark.parametrize("flood", [fields, long_field])
def test_64_mib_of_head_cost_no_memory(api: Server, flood: Callable[[], Iterator[bytes]]) -> None:
    before = worker(api).memory_info().rss
    with Beside(api), connect(api) as connection:
        with suppress(ConnectionError):
            connection.sendall(GET)
            for data in flood():
                connection.sendall(data)
        assert received(connection).startswith(b"HTTP/1.1 431 ")
    assert worker(api).memory_info().rss - before < 100 * MIB


def test_silent_and_half_sent_connections_are_closed(api: Server) -> None:
    before = worker(api).num_fds()
    with Beside(api), connections(api, 200) as idle, connections(api, 200, GET) as halves:
        assert {received(connection) for connection in idle} == {b""}
        assert {received(connection).split(b"\r\n")[0] for connection in halves} == {b"HTTP/1.1 408 Request Timeout"}
    assert worker(api).num_fds() <= before + 8


def test_a_probe_gets_a_descriptor_despite_many_idle_connections(bundle: Bundle, tmp_path: Path) -> None:
    with serve(tmp_path / "log", bundle.root, ("service.bento.classifier:ApiWithoutExplainer",)) as server:
        resource.prlimit(worker(server).pid, resource.RLIMIT_NOFILE, (64, 64))
        with Beside(server), connections(server, 80):
            time.sleep(HEAD_S / 2)


def test_slow_and_lying_bodies_end_their_connections(bundle: Bundle, tmp_path: Path) -> None:
    head = b"POST /classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n"
    with serve(
        tmp_path / "log", bundle.root, ("service.bento.classifier:ApiWithoutExplainer",), upload_seconds=2
    ) as server:
        bodies = {
            b"Content-Length: 1000\r\n\r\nslow": 408,
            b"Content-Length: 4294967296\r\n\r\n": 413,
            b"Content-Length: 1\r\n\r\nmore than that\r\n\r\n": 422,
            b"Transfer-Encoding: chunked\r\n\r\n5\r\nslow": 408,
            b"Transfer-Encoding: chunked\r\n\r\nno number\r\n": 400,
        }
        with Beside(server):
            for body, status in bodies.items():
                with connections(server, 20, head + body) as opened:
                    starts = {received(connection).split(b" ")[1] for connection in opened}
                assert starts == {str(status).encode()}, body


def test_a_body_is_not_a_second_request(api: Server) -> None:
    body = GET.replace(b"/livez", b"/metrics") + b"\r\n"
    head = b"POST /classify HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n"
    head += b"Content-Length: %d\r\n\r\n"
    with connect(api) as connection:
        connection.sendall(head % len(body))
        time.sleep(0.5)
        connection.sendall(body)
        got = received(connection)
    assert got.count(b"HTTP/1.1 ") == 1
    assert got.startswith(b"HTTP/1.1 422 ")


def test_a_client_that_reads_no_answer_loses_its_connection_and_its_memory(api: Server) -> None:
    """With many answers on one connection, to pipelined requests."""
    request = b"GET /docs.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with Beside(api), connections(api, 20, request * 1000) as opened:
        until(lambda: len(worker(api).net_connections("tcp")) > len(opened))
        until(lambda: len(worker(api).net_connections("tcp")) < len(opened))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.5)
