"""What onnxruntime does not offer of NVIDIA's driver: the number of devices, shared memory, sleeping waits, and turns.

onnxruntime's own wait keeps a core busy until the device has finished, and its own copies keep Python's lock. On a
device with several processes that is much of the time, for it runs one process after another. A call through ctypes
releases the lock.
"""

import ctypes
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

LIBRARY: Final = "libcuda.so.1"

Handle = ctypes.c_uint64  # a pointer whose value is only passed on

_BESIDE_THE_DEFAULT_STREAM: Final = 1  # CU_STREAM_NON_BLOCKING
_SLEEPING: Final = 1 | 2  # CU_EVENT_BLOCKING_SYNC, CU_EVENT_DISABLE_TIMING
_SHARED: Final = 1 | 2  # CU_MEMHOSTALLOC_PORTABLE, CU_MEMHOSTALLOC_DEVICEMAP


class CudaError(RuntimeError):
    """The driver refused a call."""


def devices() -> int:
    """The number of CUDA devices that the driver reports.

    Ask the driver, because onnxruntime-gpu lists the CUDA provider as available also on machines without a device, and
    only logs an error when a session then falls back to the CPU.
    """
    try:
        driver = ctypes.CDLL(LIBRARY)
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


class Stream:
    """A sequence of work on the first CUDA device. Only the thread that makes it may give it work."""

    def __init__(self) -> None:
        """Attach the calling thread to the device's primary context, which onnxruntime uses too.

        The context and the stream are kept until the process ends.

        Raises:
            CudaError: the driver refuses it.
        """
        self._driver = ctypes.CDLL(LIBRARY)
        self._context, self._stream, self._event, device = Handle(), Handle(), Handle(), ctypes.c_int(0)
        self._call("cuInit", 0)
        self._call("cuDeviceGet", ctypes.byref(device), 0)
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(self._context), device)
        self._call("cuCtxSetCurrent", self._context)
        self._call("cuStreamCreate", ctypes.byref(self._stream), _BESIDE_THE_DEFAULT_STREAM)
        self._call("cuEventCreate", ctypes.byref(self._event), _SLEEPING)
        self.address: int = self._stream.value

    def mark(self) -> None:
        """Mark the end of what the stream has been given so far."""
        self._call("cuEventRecord", self._event, self._stream)

    def wait(self) -> None:
        """Sleep until the device has reached the last mark. Raises CudaError if work before it failed."""
        self._call("cuEventSynchronize", self._event)

    def follow(self, other: "Stream") -> None:
        """Have the device begin what this stream is given from now on when it has reached the other's last mark."""
        self._call("cuStreamWaitEvent", self._stream, other._event, 0)

    def shared(self, shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
        """An array of zeros in the host's memory, which the device reads and writes at the same address.

        Raises:
            CudaError: there is not enough memory.
        """
        kind = np.dtype(dtype)
        size, address = prod(shape) * kind.itemsize, Handle()
        self._call("cuMemHostAlloc", ctypes.byref(address), ctypes.c_size_t(size), _SHARED)
        memory = (ctypes.c_byte * size).from_address(address.value)
        weakref.finalize(memory, self._free, address).atexit = False  # the array keeps `memory`
        array: NDArray[Any] = np.frombuffer(memoryview(memory), kind).reshape(shape)
        array[:] = 0
        return array

    def send(self, array: NDArray[Any], address: int) -> None:
        """Begin to copy a contiguous array, which must be `shared`, to a device address."""
        size = ctypes.c_size_t(array.nbytes)
        self._call("cuMemcpyHtoDAsync_v2", Handle(address), Handle(array.ctypes.data), size, self._stream)

    def _free(self, address: Handle) -> None:
        """Runs in whichever thread drops the last view of the array, so it brings its own context."""
        self._driver.cuCtxPushCurrent_v2(self._context)
        self._driver.cuMemFreeHost(address)
        self._driver.cuCtxPopCurrent_v2(ctypes.byref(Handle()))

    def _call(self, name: str, *arguments: Any) -> None:
        if code := getattr(self._driver, name)(*arguments):
            raise CudaError(f"{name} failed with CUDA error {code}")


class Turns:
    """Turns of streams on the device. Only so many are unfinished at once; the next ones begin in their order."""

    def __init__(self, at_once: int) -> None:
        self._lock = Lock()
        self._last: deque[Stream] = deque(maxlen=at_once)

    @contextmanager
    def turn(self, stream: Stream) -> Iterator[None]:
        """Inside, give the stream its work, whose end is then marked. The device waits for its turn, and not the host.

        Raises:
            CudaError: the driver refuses it.
        """
        with self._lock:
            if stream in self._last:
                self._last.remove(stream)  # its earlier work comes first anyway
            if len(self._last) == self._last.maxlen:
                stream.follow(self._last[0])
            yield
            stream.mark()
            self._last.append(stream)
