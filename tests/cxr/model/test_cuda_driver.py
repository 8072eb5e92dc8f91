"""NVIDIA's driver, faked in all tests but one: the number of devices, shared memory, waiting, and turns."""

import ctypes
import threading
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import DTypeLike

from cxr.model import cuda_driver
from cxr.model.cuda_driver import CudaError, Stream, Turns
from tests.cuda import STREAM, FakeDriver


def install(monkeypatch: pytest.MonkeyPatch, driver: FakeDriver) -> FakeDriver:
    monkeypatch.setattr(ctypes, "CDLL", {"libcuda.so.1": driver}.__getitem__)
    return driver


@pytest.mark.parametrize(
    ("driver", "devices"),
    [
        (FakeDriver(0), 0),
        (FakeDriver(1), 1),
        (FakeDriver(8), 8),
        (FakeDriver(4, cuInit=100), 0),  # CUDA_ERROR_NO_DEVICE
        (FakeDriver(4, cuDeviceGetCount=3), 0),
    ],
)
def test_devices_are_those_that_the_driver_shows(
    monkeypatch: pytest.MonkeyPatch, driver: FakeDriver, devices: int
) -> None:
    install(monkeypatch, driver)
    assert cuda_driver.devices() == devices


def test_no_driver_no_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", absent)
    assert cuda_driver.devices() == 0


def test_the_drivers_count_is_torchs() -> None:
    assert cuda_driver.devices() == torch.cuda.device_count()


def test_a_wait_sleeps_until_the_device_has_finished_what_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = install(monkeypatch, FakeDriver(1))
    stream, done = Stream(), []
    assert stream.address == STREAM
    driver.work.append(lambda: done.append(True))
    stream.mark()
    stream.wait()
    assert done
    assert driver.calls[-2:] == ["cuEventRecord", "cuEventSynchronize"]


def test_an_array_is_on_the_device_after_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FakeDriver(1))
    device = np.zeros(6, np.float32)
    stream = Stream()
    array = stream.shared((2, 2), np.float32)
    array[...] = [[1, 2], [3, 4]]
    stream.send(array, device.ctypes.data)
    assert not device.any()
    stream.wait()
    np.testing.assert_array_equal(device, [1, 2, 3, 4, 0, 0])


@pytest.mark.parametrize(("shape", "dtype"), [((2, 1, 3, 3), np.uint8), ((2, 3), np.float32)])
def test_a_shared_array_is_zeros_in_memory_that_is_freed_with_its_last_view(
    monkeypatch: pytest.MonkeyPatch, shape: Sequence[int], dtype: DTypeLike
) -> None:
    driver = install(monkeypatch, FakeDriver(1))
    array = Stream().shared(shape, dtype)
    assert (array.shape, array.dtype) == (shape, dtype)
    assert not array.any()
    assert [len(block) for block in driver.memory.values()] == [array.nbytes]
    assert array.ctypes.data in driver.memory
    row = array[1]
    del array
    row[...] = 7
    assert driver.memory
    del row
    assert not driver.memory
    assert driver.calls[-3:] == ["cuCtxPushCurrent_v2", "cuMemFreeHost", "cuCtxPopCurrent_v2"]


def test_a_driver_without_a_context_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FakeDriver(1, cuDevicePrimaryCtxRetain=2))
    with pytest.raises(CudaError, match="cuDevicePrimaryCtxRetain failed with CUDA error 2"):
        Stream()


def test_memory_that_the_driver_refuses_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FakeDriver(1, cuMemHostAlloc=2))
    with pytest.raises(CudaError, match="cuMemHostAlloc failed with CUDA error 2"):
        Stream().shared((1,), np.uint8)


def test_work_that_failed_on_the_device_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FakeDriver(1, cuEventSynchronize=700))
    with pytest.raises(CudaError, match="700"):
        Stream().wait()


def test_a_turn_waits_on_the_device_for_the_turn_so_many_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = install(monkeypatch, FakeDriver(1))
    streams, turns = [Stream() for _ in range(3)], Turns(2)
    followed = []
    for stream in streams * 2:
        with turns.turn(stream):
            driver.calls.append("work")
        followed.append(driver.followed[-1:])
    assert followed == [[], [], [1], [2], [3], [1]]
    assert driver.calls[-3:] == ["cuStreamWaitEvent", "work", "cuEventRecord"]
    assert "cuEventSynchronize" not in driver.calls


def test_a_stream_does_not_count_twice_among_those_that_run(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = install(monkeypatch, FakeDriver(1))
    streams, turns = [Stream() for _ in range(3)], Turns(2)
    for number in (0, 0, 1, 0, 2):
        with turns.turn(streams[number]):
            pass
    assert driver.followed == [2]


def test_turns_are_given_their_work_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FakeDriver(1))
    streams, turns, given = [Stream() for _ in range(2)], Turns(2), threading.Event()

    def give() -> None:
        with turns.turn(streams[1]):
            given.set()

    with turns.turn(streams[0]):
        other = threading.Thread(target=give)
        other.start()
        assert not given.wait(0.1)
    other.join()
    assert given.is_set()


def test_a_turn_that_failed_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = install(monkeypatch, FakeDriver(1))
    streams, turns = [Stream() for _ in range(2)], Turns(1)
    with pytest.raises(RuntimeError), turns.turn(streams[0]):
        raise RuntimeError
    with turns.turn(streams[1]):
        pass
    assert driver.followed == []
