"""Bodies: limits for each, for all together and in time; and their memory is released."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from fastapi import Request

from cxr.errors import BodyTooLarge
from service.refusals import BatchTooLarge, Busy, UploadTooSlow
from service.uploads import BATCH, FILE, Body, Limit, Uploads

SMALL = Limit(10, BodyTooLarge)
LONG = 30.0


def body(chunks: list[bytes], uploads: Uploads, limit: Limit = SMALL, headers: dict[str, str] | None = None) -> Body:
    """A body that arrives in these chunks and then never ends."""
    messages = iter(chunks)

    async def receive() -> dict[str, Any]:
        for chunk in messages:
            return {"type": "http.request", "body": chunk, "more_body": True}
        await asyncio.Event().wait()
        raise AssertionError

    pairs = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    return Body(Request({"type": "http", "headers": pairs}, receive), limit, uploads)


async def read(upload: Body, chunks: int) -> list[bytes]:
    return [(await upload.receive())["body"] for _ in range(chunks)]


def test_bytes_pass_up_to_the_limit() -> None:
    uploads = Uploads(100, LONG)
    assert asyncio.run(read(body([b"12345", b"67890"], uploads), 2)) == [b"12345", b"67890"]
    with pytest.raises(BodyTooLarge):
        asyncio.run(read(body([b"12345", b"67890", b"!"], uploads), 3))


def test_each_route_has_its_limit_and_its_word() -> None:
    for limit, refusal in ((FILE, BodyTooLarge), (BATCH, BatchTooLarge)):
        upload = body([], Uploads(1, LONG), limit, {"content-length": str(limit.max_bytes + 1)})
        with pytest.raises(refusal):
            asyncio.run(upload.receive())


def test_all_bodies_together_have_a_limit_and_give_back_what_they_held() -> None:
    async def scenario() -> None:
        uploads = Uploads(12, LONG)
        first, second = body([b"12345678"], uploads), body([b"1234", b"5"], uploads)
        await read(first, 1)
        await read(second, 1)
        with pytest.raises(Busy):
            await second.receive()
        first.release()
        second.release()
        second.release()  # releasing twice has no further effect
        await read(body([b"1234567890"], uploads), 1)
        with pytest.raises(Busy):
            await read(body([b"123"], uploads), 1)

    asyncio.run(scenario())


def test_an_announced_length_takes_no_room() -> None:
    async def scenario() -> None:
        uploads = Uploads(10, LONG)
        stalled = [body([], uploads, headers={"content-length": "10"}) for _ in range(50)]
        waiting = [asyncio.create_task(upload.receive()) for upload in stalled]
        await asyncio.sleep(0)
        await read(body([b"1234567890"], uploads), 1)
        for task in waiting:
            task.cancel()

    asyncio.run(scenario())


def test_a_stalled_body_is_refused() -> None:
    with pytest.raises(UploadTooSlow):
        asyncio.run(read(body([b"1"], Uploads(100, 0.01)), 2))


def test_a_dripping_body_is_refused() -> None:
    async def scenario() -> None:
        async def receive() -> dict[str, Any]:
            await asyncio.sleep(0.001)
            return {"type": "http.request", "body": b"", "more_body": True}

        upload = Body(Request({"type": "http", "headers": []}, receive), SMALL, Uploads(100, 0.05))
        while True:
            await upload.receive()

    with pytest.raises(UploadTooSlow):
        asyncio.run(scenario())


def test_the_wait_for_a_disconnect_has_no_deadline() -> None:
    async def scenario() -> dict[str, Any]:
        messages: AsyncIterator[dict[str, Any]] = _whole_then_gone()
        receive: Callable[[], Any] = messages.__anext__
        upload = Body(Request({"type": "http", "headers": []}, receive), SMALL, Uploads(100, 0.02))
        await upload.receive()
        return dict(await upload.receive())

    assert asyncio.run(scenario()) == {"type": "http.disconnect"}


async def _whole_then_gone() -> AsyncIterator[dict[str, Any]]:
    yield {"type": "http.request", "body": b"whole"}
    await asyncio.sleep(0.05)
    yield {"type": "http.disconnect"}
