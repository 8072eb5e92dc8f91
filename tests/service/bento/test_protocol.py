"""Slow connections are closed, the oldest idle one is closed when there are too many, and probes always have room."""

import asyncio
import os
import socket
import time

import pytest

from service.bento import protocol, stalls
from service.bento.connections import FOR_PROBES, Connections
from tests.service.bento.servers import POST, REQUEST, Running, Stub, run

SOON_S = 0.1


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every time limit short."""
    for module, name in ((protocol, "HEAD_S"), (protocol, "REST_S"), (stalls, "STALL_S")):
        monkeypatch.setattr(module, name, SOON_S)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """Allow only this many connections."""
    room = FOR_PROBES + 2
    monkeypatch.setattr(Connections, "capacity", lambda _: room)
    return room


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(("sent", "status"), [(b"", None), (b"\r\n", None), (b"G", 408), (REQUEST[:-2], 408)])
def test_a_head_that_does_not_end_in_time(sent: bytes, status: int | None) -> None:
    async def scenario() -> None:
        async with Running(Stub()) as running:
            client = await running.connect()
            client.send(sent)
            got = await client.until_closed()
            assert got.startswith(b"HTTP/1.1 408 ") if status else got == b""
            assert running.turned_away == [status] * bool(status)

    run(scenario)


@pytest.mark.usefixtures("hurried")
def test_a_later_head_has_its_time_from_its_first_byte() -> None:
    async def scenario() -> None:
        async with Running(Stub()) as running:
            client = await running.connect_known()
            await asyncio.sleep(3 * SOON_S)
            client.send(REQUEST)
            await client.answer()
            client.send(REQUEST[:9])
            assert await client.status() == 408

    run(scenario)


@pytest.mark.usefixtures("hurried")
def test_a_slow_answer_has_no_deadline_here() -> None:
    async def scenario() -> None:
        app = Stub()
        app.may_answer.clear()
        async with Running(app) as running:
            client = await running.connect()
            client.send(POST)
            await asyncio.sleep(3 * SOON_S)
            client.send(bytes(10))
            app.may_answer.set()
            await client.answer()

    run(scenario)


@pytest.mark.usefixtures("hurried")
def test_the_rest_of_an_answered_requests_body_must_come_in_time() -> None:
    async def scenario() -> None:
        async with Running(Stub(reads=False)) as running:
            client = await running.connect()
            await client.send_apart(POST, b"12345")
            await client.answer()
            assert await client.until_closed() == b""

    run(scenario)


def test_a_connection_whose_body_came_after_its_answer_is_kept_for_the_next_and_no_longer() -> None:
    async def scenario() -> None:
        async with Running(Stub(reads=False), keep_alive_s=SOON_S) as running:
            client = await running.connect()
            client.send(POST)
            await client.answer()
            client.send(bytes(10))
            assert await client.until_closed() == b""
            client = await running.connect()
            client.send(POST)
            await client.answer()
            client.send(bytes(10) + REQUEST)
            await client.answer()

    run(scenario)


def test_a_request_that_came_before_its_idle_connection_ended_is_answered() -> None:
    async def scenario() -> None:
        loop, (waker, woken) = asyncio.get_running_loop(), socket.socketpair()

        def be_busy(connection: int) -> None:
            loop.remove_reader(woken)
            os.write(connection, REQUEST)  # not read yet when the time is over
            time.sleep(2 * SOON_S)

        async with Running(Stub(), keep_alive_s=SOON_S) as running:
            client = await running.connect_known()
            loop.add_reader(woken, be_busy, client.writer.get_extra_info("socket").fileno())
            waker.send(b" ")
            await client.answer()
            assert await client.until_closed() == b""
        waker.close()
        woken.close()

    run(scenario)


def test_idle_connections_are_kept_longer_than_proxies_keep_theirs() -> None:
    async def scenario() -> None:
        async with Running(Stub()) as running:
            await running.connect_known()
            (connection,) = running.server.server_state.connections
            left = connection.timeout_keep_alive_task.when() - asyncio.get_running_loop().time()  # type: ignore[union-attr]
            assert left > 60

    run(scenario)


@pytest.mark.usefixtures("hurried")
def test_a_client_that_does_not_read_its_answer_is_disconnected() -> None:
    async def scenario() -> None:
        async with Running(Stub(answer=bytes(32 << 20))) as running:
            client = await running.connect()
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            client.send(REQUEST)
            while not running.app.bodies or running.server.server_state.connections:
                await asyncio.sleep(0.01)

    run(scenario)


def test_the_first_of_several_requests_learns_that_its_client_has_gone(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        app = Stub()
        app.may_answer.clear()
        async with Running(app) as running:
            client = await running.connect()
            client.send(REQUEST + REQUEST)
            await app.asked.wait()
            await client.close()
            while running.server.server_state.connections:
                await asyncio.sleep(0.01)
            app.may_answer.set()
            while running.server.server_state.tasks:
                await asyncio.sleep(0.01)
        assert len(app.scopes) == 1

    run(scenario)
    assert [record for record in caplog.records if record.exc_info] == []


def test_the_oldest_idle_connection_is_closed_when_there_are_too_many(few: int) -> None:
    async def scenario() -> None:
        async with Running(Stub()) as running:
            known = await running.connect_known()
            strangers = [await running.connect() for _ in range(few)]
            strangers[1].send(REQUEST[:5])
            assert await strangers[0].until_closed() == b""
            await running.connect_known()
            assert await strangers[1].until_closed() == b""
            for client in (known, strangers[-1]):
                client.send(REQUEST)
                await client.answer()

    run(scenario)


def test_known_clients_leave_room_for_a_new_one(few: int) -> None:
    async def scenario() -> None:
        async with Running(Stub()) as running:
            known = [await running.connect_known() for _ in range(few)]
            await running.connect_known()
            assert await known[0].until_closed() == b""
            known[1].send(REQUEST)
            await known[1].answer()

    run(scenario)


def test_a_probe_finds_room_where_no_other_request_does(few: int) -> None:
    async def scenario() -> None:
        app = Stub()
        app.may_answer.clear()
        async with Running(app) as running:
            busy = [await running.connect() for _ in range(few - FOR_PROBES)]
            for client in busy:
                client.send(REQUEST)
            while len(app.scopes) < len(busy):
                await asyncio.sleep(0.01)
            late = await running.connect()
            late.send(REQUEST)
            assert await late.status() == 503
            assert await late.until_closed() == b'{"turned_away":503}'
            probe = await running.connect()
            probe.send(REQUEST.replace(b" / ", b" /livez "))
            app.may_answer.set()
            for client in (*busy, probe):
                await client.answer()

    run(scenario)


def test_answers_under_way_go_before_a_refusal_closes_their_connection() -> None:
    async def scenario() -> None:
        app = Stub()
        app.may_answer.clear()
        async with Running(app) as running:
            client = await running.connect()
            client.send(REQUEST + REQUEST + b"no request\r\n\r\n")
            await app.asked.wait()
            app.may_answer.set()
            await client.answer()
            await client.answer()
            assert await client.until_closed() == b""
            assert running.turned_away == [400]

    run(scenario)


@pytest.mark.parametrize("refused", [b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"])
def test_a_refused_request_does_not_take_the_answer_of_the_one_before_it(refused: bytes) -> None:
    async def scenario() -> None:
        app = Stub()
        app.may_answer.clear()
        async with Running(app) as running:
            client = await running.connect()
            client.send(REQUEST)
            await app.asked.wait()
            client.send(refused)
            while not running.turned_away:
                await asyncio.sleep(0.01)
            app.may_answer.set()
            assert b" 200 " in await client.answer()
            assert await client.until_closed() == b""

    run(scenario)
