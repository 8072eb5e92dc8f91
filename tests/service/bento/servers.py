"""A real uvicorn with the service's protocol and a tiny app, in the test's own event loop."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import uvicorn
import uvicorn.config
import uvloop
from starlette.responses import JSONResponse, Response

from service.bento import protocol

WAIT_S = 20.0
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"
"""A head; ten bytes of body follow."""


class Stub:
    """An app that reads each request completely, answers when the test allows it, and records its requests."""

    def __init__(self, answer: bytes = b"ok", reads: bool = True) -> None:
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.scopes: list[dict[str, Any]] = []
        self.bodies: list[bytes | None] = []
        """None: the client went away before the body was complete."""
        self._answer = answer
        self._reads = reads

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        self.asked.set()
        if self._reads:
            self.bodies.append(await self._body(receive))
        await self.may_answer.wait()
        length = str(len(self._answer)).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        await send({"type": "http.response.body", "body": self._answer})

    async def _body(self, receive: Any) -> bytes | None:
        chunks = []
        while (message := await receive())["type"] == "http.request":
            chunks.append(message["body"])
            if not message["more_body"]:
                return b"".join(chunks)
        return None


class Running:
    """A server, from entry to exit of the context. Connections are closed by the client or by the server."""

    def __init__(self, app: Stub, keep_alive_s: float = protocol.KEEP_ALIVE_S) -> None:
        self.app = app
        self.turned_away: list[int] = []
        protocol.install(self._turn_away, keep_alive_s)
        config = uvicorn.Config(app, port=0, lifespan="off", log_config=None)
        self.server = uvicorn.Server(config)

    async def __aenter__(self) -> "Running":
        self._task = asyncio.create_task(self.server._serve())
        while not self.server.started:
            await asyncio.sleep(0)
        self._port = self.server.servers[0].sockets[0].getsockname()[1]
        self._clients: list[Client] = []
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self._clients:
            await client.close()
        self.server.should_exit = True
        await self.ended()

    async def connect(self) -> "Client":
        self._clients.append(Client(*await asyncio.open_connection("127.0.0.1", self._port)))
        return self._clients[-1]

    async def connect_known(self, request: bytes = REQUEST) -> "Client":
        """A connection on which a request has been answered."""
        client = await self.connect()
        client.send(request)
        await client.answer()
        return client

    async def end(self) -> None:
        """Start the shutdown. Returns when uvicorn has told its connections."""
        connections = list(self.server.server_state.connections)
        self.server.should_exit = True
        while not all(connection._ending for connection in connections):  # type: ignore[union-attr]
            await asyncio.sleep(0.01)

    async def ended(self) -> None:
        await asyncio.wait_for(self._task, WAIT_S)

    def _turn_away(self, status: int) -> Response:
        self.turned_away.append(status)
        return JSONResponse({"turned_away": status}, status)


class Client:
    """A client with one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def send_apart(self, *segments: bytes) -> None:
        """Send each piece in a separate segment."""
        for segment in segments:
            self.writer.write(segment)
            await self.writer.drain()
            await asyncio.sleep(0.05)

    async def answer(self, body: bytes = b"ok") -> bytes:
        """The head of the next answer, in lower case."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), WAIT_S)
        assert await asyncio.wait_for(self.reader.readexactly(len(body)), WAIT_S) == body
        return head.lower()

    async def status(self) -> int:
        """The status of the next answer, whose body is not read."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), WAIT_S)
        return int(head.split()[1])

    async def until_closed(self) -> bytes:
        """Everything received before the server closes the connection."""
        with suppress(ConnectionError):
            return await asyncio.wait_for(self.reader.read(), WAIT_S)
        return b""

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario on the same kind of event loop as the service."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())
