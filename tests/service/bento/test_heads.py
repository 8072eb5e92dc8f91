"""Heads have limits, and a body is never a second request."""

import pytest

from service.bento.heads import HEAD_BYTES, HEAD_FIELDS
from tests.service.bento.servers import REQUEST, Running, Stub, run

START = b"GET / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def fields(count: int) -> bytes:
    return b"".join(b"F%d: %d\r\n" % (i, i) for i in range(count))


def long_head(length: int) -> bytes:
    name, end = b"Long: ", b"\r\n\r\n"
    return START + name + b"x" * (length - len(START + name + end)) + end


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (long_head(HEAD_BYTES - 1), 200),
        (long_head(HEAD_BYTES + 1), 431),
        (long_head(64 * HEAD_BYTES), 431),
        (START + b"Endless: " + b"x" * HEAD_BYTES, 431),
        (b"GET /" + b"x" * HEAD_BYTES, 431),
        (START + fields(HEAD_FIELDS - 1) + b"\r\n", 200),
        (START + fields(HEAD_FIELDS) + b"\r\n", 431),
    ],
)
def test_a_head_over_its_limits_is_a_431_and_the_connections_end(head: bytes, status: int) -> None:
    async def scenario() -> None:
        async with Running(Stub()) as running:
            client = await running.connect()
            client.send(head)
            assert await client.status() == status
            if status == 431:
                assert await client.until_closed() == b'{"turned_away":431}'
                assert running.app.scopes == []
                assert running.turned_away == [431]

    run(scenario)


@pytest.mark.parametrize(
    ("flood", "status"),
    [
        (b"1;" + b"x" * HEAD_BYTES, 431),
        (b"0\r\nTrailer: " + b"x" * HEAD_BYTES, 431),
        (b"1\r\nx\r\n0\r\n" + fields(HEAD_BYTES), 431),
        (b"no chunk\r\n", 400),
    ],
)
def test_trailers_and_extensions_are_limited_and_the_app_is_stopped(flood: bytes, status: int) -> None:
    async def scenario() -> None:
        async with Running(Stub()) as running:
            client = await running.connect()
            await client.send_apart(CHUNKED)
            await running.app.asked.wait()
            client.send(flood)
            assert await client.status() == status
            await client.until_closed()
            assert running.app.bodies == [None]

    run(scenario)


def test_trailers_are_not_fields_of_the_head() -> None:
    async def scenario() -> None:
        async with Running(Stub()) as running:
            client = await running.connect()
            await client.send_apart(CHUNKED, b"1\r\nx\r\n0\r\nX-API-Key: late\r\n\r\n", REQUEST)
            await client.answer()
            await client.answer()
            assert running.app.bodies == [b"x", b""]
            assert b"x-api-key" not in dict(running.app.scopes[0]["headers"])

    run(scenario)


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket", b"TLS/1.0"])
@pytest.mark.parametrize("apart", [True, False])
def test_a_body_after_an_upgrade_field_is_a_body(protocol: bytes, apart: bool) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nUpgrade: %s\r\nConnection: Upgrade\r\nContent-Length: %d\r\n\r\n" % (
        protocol,
        len(SMUGGLED),
    )

    async def scenario() -> None:
        async with Running(Stub()) as running:
            client = await running.connect()
            await client.send_apart(*([head, SMUGGLED] if apart else [head + SMUGGLED]), REQUEST)
            await client.answer()
            await client.answer()
            assert [scope["path"] for scope in running.app.scopes] == ["/", "/"]
            assert running.app.bodies == [SMUGGLED, b""]

    run(scenario)


def test_a_chunked_body_after_an_upgrade_field_is_a_body() -> None:
    head = CHUNKED.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")

    async def scenario() -> None:
        async with Running(Stub()) as running:
            client = await running.connect()
            await client.send_apart(head, b"%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED))
            await client.answer()
            assert running.app.bodies == [SMUGGLED]

    run(scenario)


@pytest.mark.parametrize(
    ("version", "hosts", "status"),
    [
        (b"1.1", [b"example.org:3000"], 200),
        (b"1.1", [b"[::1]:3000"], 200),
        (b"1.1", [b""], 200),
        (b"1.1", [], 400),
        (b"1.1", [b"x", b"x"], 400),
        (b"1.1", [b"x", b"y"], 400),
        (b"1.1", [b"["], 400),
        (b"1.1", [b"x/y"], 400),
        (b"1.1", [b"x y"], 400),
        (b"1.0", [], 200),
        (b"1.0", [b"x", b"y"], 400),
    ],
)
def test_one_good_host(version: bytes, hosts: list[bytes], status: int) -> None:
    head = b"GET / HTTP/%s\r\n" % version + b"".join(b"Host: %s\r\n" % host for host in hosts) + b"\r\n"

    async def scenario() -> None:
        async with Running(Stub()) as running:
            client = await running.connect()
            client.send(head)
            assert await client.status() == status

    run(scenario)


@pytest.mark.parametrize(
    "data",
    [
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_is_not_http_is_a_400(data: bytes) -> None:
    async def scenario() -> None:
        async with Running(Stub()) as running:
            client = await running.connect()
            client.send(data)
            assert await client.status() == 400
            await client.until_closed()
            assert running.app.scopes == []

    run(scenario)
