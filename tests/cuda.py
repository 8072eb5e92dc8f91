"""A stand-in for NVIDIA's driver, whose device is this process's memory."""

import ctypes
from collections.abc import Callable
from typing import Any

STREAM = 0x57E4


class FakeDriver:
    """libcuda with some devices. `failing` names a function and the code that it returns.

    work:     what was sent to the device and not waited for yet
    memory:   shared blocks by address
    followed: the events that streams wait for on the device; an event is numbered from 1
    """

    def __init__(self, devices: int, **failing: int) -> None:
        self.devices, self.failing = devices, failing
        self.calls: list[str] = []
        self.work: list[Callable[[], object]] = []
        self.memory: dict[int, Any] = {}
        self.followed: list[int] = []

    def __getattr__(self, name: str) -> Any:
        """A function that only succeeds or fails."""
        return lambda *_: self._ended(name)

    def cuDeviceGetCount(self, count: Any) -> int:
        count._obj.value = self.devices
        return self._ended("cuDeviceGetCount")

    def cuStreamCreate(self, stream: Any, _flags: int) -> int:
        stream._obj.value = STREAM
        return self._ended("cuStreamCreate")

    def cuEventCreate(self, event: Any, flags: int) -> int:
        assert flags & 1, "without CU_EVENT_BLOCKING_SYNC the wait keeps a core busy"
        event._obj.value = self.calls.count("cuEventCreate") + 1
        return self._ended("cuEventCreate")

    def cuMemHostAlloc(self, address: Any, size: ctypes.c_size_t, flags: int) -> int:
        assert flags & 2, "without CU_MEMHOSTALLOC_DEVICEMAP the device does not see the memory"
        block = ctypes.create_string_buffer(b"\xff" * size.value, size.value)
        address._obj.value = ctypes.addressof(block)
        self.memory[address._obj.value] = block
        return self._ended("cuMemHostAlloc")

    def cuMemFreeHost(self, address: Any) -> int:
        del self.memory[address.value]
        return self._ended("cuMemFreeHost")

    def cuMemcpyHtoDAsync_v2(self, to: Any, source: Any, size: ctypes.c_size_t, stream: Any) -> int:
        assert stream.value == STREAM
        self.work.append(lambda: ctypes.memmove(to.value, source.value, size.value))
        return self._ended("cuMemcpyHtoDAsync_v2")

    def cuStreamWaitEvent(self, stream: Any, event: Any, _flags: int) -> int:
        assert stream.value == STREAM
        self.followed.append(event.value)
        return self._ended("cuStreamWaitEvent")

    def cuEventSynchronize(self, _event: Any) -> int:
        while self.work:
            self.work.pop(0)()
        return self._ended("cuEventSynchronize")

    def _ended(self, name: str) -> int:
        self.calls.append(name)
        return self.failing.get(name, 0)
