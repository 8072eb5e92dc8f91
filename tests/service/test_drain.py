"""A server that is told to end, and what is on its way to it."""

import asyncio
import subprocess
import sys
from contextlib import suppress
from typing import Any

import pytest
import uvicorn
import uvicorn.config

from scripts.server import REPOSITORY
from service.bento import drain

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
WAIT_S = 20.0


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvicorn.config, "HTTP_PROTOCOLS", dict(uvicorn.config.HTTP_PROTOCOLS))
    drain.install()


class Slow:
    """An app that answers when it may, and says when it was asked."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        self.asked.set()
        await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


class Running:
    """A uvicorn server and one connection to it, in this event loop."""

    def __init__(self, app: Slow) -> None:
        self.app = app
        config = uvicorn.Config(app, port=0, lifespan="off", log_config=None, timeout_keep_alive=60)
        self._server = uvicorn.Server(config)

    async def __aenter__(self) -> "Running":
        self._task = asyncio.create_task(self._server._serve())
        while not self._server.started:
            await asyncio.sleep(0)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()
        self._server.should_exit = True
        await asyncio.wait_for(self._task, WAIT_S)

    async def answer(self) -> bytes:
        """The head of the next answer."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), WAIT_S)
        assert await self.reader.readexactly(2) == b"ok"
        return head.lower()

    async def end(self) -> None:
        """Return when uvicorn has told its connections that it ends."""
        connections = list(self._server.server_state.connections)
        self._server.should_exit = True
        while not all(connection._ending for connection in connections):  # type: ignore[union-attr]
            await asyncio.sleep(0.01)

    async def ended(self) -> None:
        await asyncio.wait_for(self._task, WAIT_S)


def test_a_request_on_an_idle_connection_is_answered_and_is_its_last() -> None:
    async def scenario() -> None:
        app = Slow()
        app.may_answer.set()
        async with Running(app) as running:
            running.writer.write(REQUEST)
            assert b"connection: close" not in await running.answer()
            await running.end()
            running.writer.write(REQUEST)
            assert b"connection: close" in await running.answer()
            assert await running.reader.read() == b""
            await running.ended()

    asyncio.run(scenario())


def test_a_request_in_flight_is_answered_and_is_its_connections_last() -> None:
    async def scenario() -> None:
        app = Slow()
        async with Running(app) as running:
            running.writer.write(REQUEST)
            await app.asked.wait()
            await running.end()
            app.may_answer.set()
            assert b"connection: close" in await running.answer()
            await running.ended()

    asyncio.run(scenario())


def test_a_connection_on_which_nothing_comes_is_closed() -> None:
    async def scenario() -> None:
        async with Running(Slow()) as running:
            await running.end()
            assert await asyncio.wait_for(running.reader.read(), WAIT_S) == b""
            await running.ended()

    asyncio.run(scenario())


def test_it_is_the_protocol_of_whoever_imports_the_service() -> None:
    code = (
        "import uvicorn, service.app; config = uvicorn.Config(service.app.boundary); config.load(); "
        "print(config.http_protocol_class.__name__)"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["LingeringProtocol"]
