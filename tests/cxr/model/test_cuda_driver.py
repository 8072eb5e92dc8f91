"""NVIDIA's driver, faked in all tests but one: the number of devices, and copies."""

import ctypes

import numpy as np
import pytest
import torch

from cxr.model import cuda_driver
from cxr.model.cuda_driver import Copies, CudaError
from tests.cuda import FakeDriver


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


def test_a_copy_to_the_device_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = install(monkeypatch, FakeDriver(1))
    device = np.zeros(6, np.float32)
    Copies().to_device(device.ctypes.data, np.arange(1, 5, dtype=np.float32).reshape(2, 2))
    np.testing.assert_array_equal(device, [1, 2, 3, 4, 0, 0])
    assert driver.calls[-2:] == ["cuMemcpyHtoD_v2", "cuStreamSynchronize"]


def test_a_copy_from_the_device_fills_the_array(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FakeDriver(1))
    device, array = np.arange(6, dtype=np.float32), np.zeros((2, 2), np.float32)
    Copies().from_device(array, device.ctypes.data)
    np.testing.assert_array_equal(array, [[0, 1], [2, 3]])


def test_a_driver_without_a_context_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FakeDriver(1, cuDevicePrimaryCtxRetain=2))
    with pytest.raises(CudaError, match="cuDevicePrimaryCtxRetain failed with CUDA error 2"):
        Copies()


def test_a_failed_copy_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FakeDriver(1, cuMemcpyDtoH_v2=700))
    with pytest.raises(CudaError, match="700"):
        Copies().from_device(np.zeros(1), np.zeros(1).ctypes.data)
