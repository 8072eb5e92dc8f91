"""The micro-batcher: each image gets its own answer, batches form, and no batch waits needlessly."""

from collections.abc import Sequence
from concurrent.futures import wait
from threading import Event, Semaphore
from threading import enumerate as enumerate_threads
from typing import Any

import numpy as np
import pytest

from cxr.arrays import Views
from cxr.model.cuda import LANES
from cxr.model.frames import FULL
from service import batching
from service.batching import Batcher

LONG = 30.0


class Device:
    """Answers each image with its first pixel, and records the batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun = Semaphore(0)
        self.may_go = Event()
        self.may_go.set()

    def __call__(self, views: Views) -> Any:
        images = views[FULL]
        self.batches.append([int(image[0, 0]) for image in images])
        self.begun.release()
        assert self.may_go.wait(LONG)
        return np.stack([images[:, 0, :3].astype(np.float32), images[:, 0, :3] + np.float32(0.5)])


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the time window so long that it never starts a batch."""
    monkeypatch.setattr(batching, "WINDOW_S", 1000.0)


def image(number: int) -> Views:
    return {FULL: np.full((4, 4), number, np.uint8)}


def value(logits: Any) -> int:
    assert logits.shape == (2, 1, 3)
    assert logits[1, 0, 0] == logits[0, 0, 0] + 0.5
    return int(logits[0, 0, 0])


def ask(batcher: Batcher, numbers: Sequence[int]) -> list[int]:
    futures = [batcher.submit(image(number)) for number in numbers]
    return [value(future.result(LONG)) for future in futures]


def test_each_image_gets_its_own_answer() -> None:
    assert ask(Batcher(Device(), 8, lambda: 50), range(50)) == list(range(50))


@pytest.mark.usefixtures("unhurried")
def test_a_full_batch_goes_at_once_and_none_is_larger() -> None:
    device = Device()
    ask(Batcher(device, 4, lambda: 1000), range(12))
    assert sorted(device.batches) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


@pytest.mark.usefixtures("unhurried")
def test_a_lone_image_does_not_wait() -> None:
    assert ask(Batcher(Device(), 4, lambda: 1), [7]) == [7]


@pytest.mark.usefixtures("unhurried")
def test_a_batch_starts_when_no_other_image_is_coming() -> None:
    device = Device()
    ask(Batcher(device, 64, lambda: 3), range(3))
    assert device.batches == [[0, 1, 2]]


def test_a_batch_starts_when_the_window_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "WINDOW_S", 0.2)
    assert ask(Batcher(Device(), 64, lambda: 1000), range(3)) == [0, 1, 2]


def test_batches_grow_while_the_device_is_busy() -> None:
    device = Device()
    batcher = Batcher(device, 64, lambda: 1)
    device.may_go.clear()
    first = []
    for number in range(LANES):
        first.append(batcher.submit(image(number)))
        assert device.begun.acquire(timeout=LONG)
    rest = [batcher.submit(image(number)) for number in range(LANES, 30)]
    assert not device.begun.acquire(timeout=0.05)  # all lanes are busy
    device.may_go.set()
    assert not wait([*first, *rest], LONG).not_done
    assert device.batches == [*([number] for number in range(LANES)), list(range(LANES, 30))]


@pytest.mark.usefixtures("unhurried")
def test_images_that_run_are_not_waited_for() -> None:
    device = Device()
    batcher = Batcher(device, 64, lambda: 3)
    device.may_go.clear()
    first = [batcher.submit(image(number)) for number in range(3)]
    assert device.begun.acquire(timeout=LONG)
    fourth = batcher.submit(image(3))
    assert device.begun.acquire(timeout=LONG)
    device.may_go.set()
    assert not wait([*first, fourth], LONG).not_done
    assert device.batches == [[0, 1, 2], [3]]


def test_a_failing_device_fails_its_batch_and_not_the_next() -> None:
    def run(views: Views) -> Any:
        if views[FULL][0, 0, 0] == 0:
            raise RuntimeError("out of memory")
        return Device()(views)

    batcher = Batcher(run, 2, lambda: 1)
    for _ in range(2 * LANES):
        with pytest.raises(RuntimeError):
            batcher.submit(image(0)).result(LONG)
    assert ask(batcher, [3]) == [3]


def test_nothing_runs_while_it_is_paused() -> None:
    device = Device()
    batcher = Batcher(device, 4, lambda: 1)
    device.may_go.clear()
    running = batcher.submit(image(1))
    assert device.begun.acquire(timeout=LONG)
    device.may_go.set()
    with batcher.paused():
        assert running.done(), "it waited for what ran"
        later = batcher.submit(image(2))
        assert not wait([later], 0.05).done
    assert value(later.result(LONG)) == 2


def test_closing_ends_its_threads() -> None:
    before = set(enumerate_threads())
    batcher = Batcher(Device(), 4, lambda: 1)
    lanes = set(enumerate_threads()) - before
    assert len(lanes) == LANES
    batcher.close()
    for lane in lanes:
        lane.join(LONG)
        assert not lane.is_alive()
