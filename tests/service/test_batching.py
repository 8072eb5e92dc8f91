"""The micro-batcher: everyone gets their own answer, batches form, and nothing waits for nobody."""

import asyncio
from threading import Event
from typing import Any

import numpy as np
import pytest

from cxr.model.cuda import LANES
from service import batching
from service.batching import Batcher


class Device:
    """Answers each image's first pixel, and remembers the batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.may_go = Event()
        self.may_go.set()

    def __call__(self, images: Any) -> Any:
        self.batches.append([int(image[0, 0]) for image in images])
        assert self.may_go.wait(30)
        return np.stack([images[:, 0, :3].astype(np.float32), images[:, 0, :3] + np.float32(0.5)])


def image(number: int) -> Any:
    return np.full((4, 4), number, np.uint8)


def value(logits: Any) -> int:
    assert logits.shape == (2, 1, 3)
    assert logits[1, 0, 0] == logits[0, 0, 0] + 0.5
    return int(logits[0, 0, 0])


def test_each_gets_its_own() -> None:
    async def scenario() -> list[int]:
        batcher = Batcher(Device(), 8, lambda: 50)
        return [value(logits) for logits in await asyncio.gather(*(batcher.logits(image(i)) for i in range(50)))]

    assert asyncio.run(scenario()) == list(range(50))


def test_a_full_batch_goes_at_once_and_none_is_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "WINDOW_S", 1000.0)
    device = Device()

    async def scenario() -> None:
        batcher = Batcher(device, 4, lambda: 1000)
        await asyncio.gather(*(batcher.logits(image(i)) for i in range(12)))

    asyncio.run(scenario())
    assert sorted(device.batches) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


def test_a_lone_image_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "WINDOW_S", 1000.0)

    async def scenario() -> int:
        return value(await Batcher(Device(), 4, lambda: 1).logits(image(7)))

    assert asyncio.run(scenario()) == 7


def test_the_batch_goes_when_all_who_were_coming_have_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "WINDOW_S", 1000.0)
    device = Device()

    async def scenario() -> None:
        batcher = Batcher(device, 64, lambda: 3)
        await asyncio.gather(*(batcher.logits(image(i)) for i in range(3)))

    asyncio.run(scenario())
    assert device.batches == [[0, 1, 2]]


def test_after_the_window_it_goes_with_those_who_are_there() -> None:
    device = Device()

    async def scenario() -> None:
        batcher = Batcher(device, 64, lambda: 1000)
        await asyncio.gather(*(batcher.logits(image(i)) for i in range(3)))

    asyncio.run(scenario())
    assert device.batches == [[0, 1, 2]]


def test_batches_grow_while_the_device_is_busy() -> None:
    device = Device()

    async def scenario() -> None:
        batcher = Batcher(device, 64, lambda: 1)
        device.may_go.clear()
        first = [asyncio.create_task(batcher.logits(image(i))) for i in range(LANES)]
        while len(device.batches) < LANES:
            await asyncio.sleep(0.001)
        rest = [asyncio.create_task(batcher.logits(image(i))) for i in range(LANES, 30)]
        await asyncio.sleep(0.01)
        assert len(device.batches) == LANES  # all are taken
        device.may_go.set()
        await asyncio.gather(*first, *rest)

    asyncio.run(scenario())
    assert device.batches == [*([i] for i in range(LANES)), list(range(LANES, 30))]


def test_a_failing_device_fails_its_batch_and_not_the_next() -> None:
    def run(images: Any) -> Any:
        if images[0, 0, 0] == 0:
            raise RuntimeError("out of memory")
        return Device()(images)

    async def scenario() -> None:
        batcher = Batcher(run, 2, lambda: 1000)
        for _ in range(2 * LANES):
            with pytest.raises(RuntimeError):
                await batcher.logits(image(0))
        assert value(await batcher.logits(image(3))) == 3

    asyncio.run(scenario())


def test_who_goes_away_takes_nobody_along() -> None:
    async def scenario() -> None:
        batcher = Batcher(Device(), 2, lambda: 2)
        gone = asyncio.create_task(batcher.logits(image(1)))
        await asyncio.sleep(0)
        gone.cancel()
        assert value(await batcher.logits(image(2))) == 2

    asyncio.run(scenario())
