"""Graceful shutdown: requests on their way to a server that stops."""

import asyncio

import pytest
import uvicorn

import service.bento.api  # noqa: F401
from service.app import boundary
from service.bento.drain import LINGER_S
from service.bento.protocol import LimitedProtocol
from tests.service.bento.servers import POST, REQUEST, Running, Stub, run


def test_a_request_on_an_idle_connection_is_answered_and_is_its_last() -> None:
    async def scenario() -> None:
        async with Running(Stub()) as running:
            client = await running.connect()
            client.send(REQUEST)
            assert b"connection: close" not in await client.answer()
            await running.end()
            client.send(REQUEST)
            assert b"connection: close" in await client.answer()
            assert await client.until_closed() == b""
            await running.ended()

    run(scenario)


def test_a_request_in_flight_is_answered_and_is_its_connections_last() -> None:
    async def scenario() -> None:
        app = Stub()
        app.may_answer.clear()
        async with Running(app) as running:
            client = await running.connect()
            client.send(REQUEST)
            await app.asked.wait()
            await running.end()
            app.may_answer.set()
            assert b"connection: close" in await client.answer()
            await running.ended()

    run(scenario)


def test_a_connection_on_which_nothing_comes_is_closed() -> None:
    async def scenario() -> None:
        async with Running(Stub()) as running:
            client = await running.connect_known()
            await running.end()
            assert await client.until_closed() == b""
            await running.ended()

    run(scenario)


@pytest.mark.parametrize(
    ("answered", "late"),
    [(REQUEST, b"\r\n"), (REQUEST, REQUEST[:9]), (POST, bytes(10))],
    ids=["stray line", "half a head", "rest of an answered body"],
)
def test_what_is_no_request_does_not_delay_the_end(answered: bytes, late: bytes) -> None:
    async def scenario() -> None:
        async with Running(Stub(reads=False)) as running:
            client = await running.connect_known(answered)
            await running.end()
            client.send(late)
            async with asyncio.timeout(3 * LINGER_S):
                await client.until_closed()
                await running.ended()

    run(scenario)


def test_it_is_the_protocol_of_whoever_imports_the_service() -> None:
    config = uvicorn.Config(boundary, log_config=None)
    config.load()
    assert config.http_protocol_class.func is LimitedProtocol  # type: ignore[attr-defined]
