"""What onnxruntime does not offer of NVIDIA's driver: the number of devices, and copies that let other threads run.

onnxruntime's own copies keep Python's lock. With several processes on one device a copy waits for its process's turn,
and until then no thread of the process prepares a radiograph. A call through ctypes releases the lock.
"""

import ctypes
from typing import Any, Final

from numpy.typing import NDArray

LIBRARY: Final = "libcuda.so.1"
DEFAULT_STREAM: Final = None


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


class Copies:
    """Copies between arrays and the first CUDA device."""

    def __init__(self) -> None:
        """Attach the calling thread to the device's primary context, which onnxruntime uses too.

        Only this thread may call the methods. The context is kept until the process ends.

        Raises:
            CudaError: the driver refuses it.
        """
        self._driver = ctypes.CDLL(LIBRARY)
        device, context = ctypes.c_int(0), ctypes.c_void_p()
        self._call("cuInit", 0)
        self._call("cuDeviceGet", ctypes.byref(device), 0)
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self._call("cuCtxSetCurrent", context)

    def to_device(self, address: int, array: NDArray[Any]) -> None:
        """Copy a contiguous array to a device address. The copy is complete on return."""
        self._call("cuMemcpyHtoD_v2", ctypes.c_uint64(address), ctypes.c_void_p(array.ctypes.data), size_of(array))
        self._call("cuStreamSynchronize", DEFAULT_STREAM)  # the last bytes of pageable memory travel after the return

    def from_device(self, array: NDArray[Any], address: int) -> None:
        """Fill a contiguous array from a device address."""
        self._call("cuMemcpyDtoH_v2", ctypes.c_void_p(array.ctypes.data), ctypes.c_uint64(address), size_of(array))

    def _call(self, name: str, *arguments: Any) -> None:
        if code := getattr(self._driver, name)(*arguments):
            raise CudaError(f"{name} failed with CUDA error {code}")


def size_of(array: NDArray[Any]) -> ctypes.c_size_t:
    return ctypes.c_size_t(array.nbytes)
