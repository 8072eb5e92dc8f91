"""A stand-in for NVIDIA's driver, whose device is this process's memory."""

import ctypes
from typing import Any


class FakeDriver:
    """libcuda with some devices. `failing` names a function and the code that it returns."""

    def __init__(self, devices: int, **failing: int) -> None:
        self.devices, self.failing = devices, failing
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        """A function that only succeeds or fails."""
        return lambda *_: self._ended(name)

    def cuDeviceGetCount(self, count: Any) -> int:
        count._obj.value = self.devices
        return self._ended("cuDeviceGetCount")

    def cuMemcpyHtoD_v2(self, to: ctypes.c_uint64, source: ctypes.c_void_p, size: ctypes.c_size_t) -> int:
        ctypes.memmove(to.value, source, size.value)
        return self._ended("cuMemcpyHtoD_v2")

    def cuMemcpyDtoH_v2(self, to: ctypes.c_void_p, source: ctypes.c_uint64, size: ctypes.c_size_t) -> int:
        ctypes.memmove(to, source.value, size.value)
        return self._ended("cuMemcpyDtoH_v2")

    def _ended(self, name: str) -> int:
        self.calls.append(name)
        return self.failing.get(name, 0)
