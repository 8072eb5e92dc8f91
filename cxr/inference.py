"""Members' ONNX graphs in onnxruntime: prepared images → logits."""

import ctypes
import os
from typing import Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from cxr.bundle import Bundle, Precision

INPUT: Final = "image"
OUTPUT: Final = "logits"


class Ensemble:
    """The sessions of a bundle's members. Safe to call from several threads."""

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        """Load every member's graph, float16 on a CUDA device and float32 on a CPU.

        Args:
            bundle: its graphs must have been exported.
            threads: intra-op threads of each session; by default the cores this process may use.

        Raises:
            BundleError: a graph is missing, altered, or made from other weights.
        """
        on_gpu = cuda_devices() > 0
        if on_gpu:
            onnxruntime.preload_dlls()  # CUDA's libraries lie in packages of their own, where no loader looks
        wanted = "CUDAExecutionProvider" if on_gpu else "CPUExecutionProvider"
        self.precision: Precision = "float16" if on_gpu else "float32"
        options = session_options(threads)
        self._sessions = [
            onnxruntime.InferenceSession(bundle.read_onnx(member, self.precision), options, providers=[wanted])
            for member in bundle.manifest.members
        ]
        self.provider: str = self._sessions[0].get_providers()[0]  # onnxruntime falls back without an error

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Prepared images [N, S, S] uint8 → logits [M, N, 3], members in the manifest's order."""
        batch = images[:, np.newaxis]
        return np.stack([session.run([OUTPUT], {INPUT: batch})[0] for session in self._sessions])


def session_options(threads: int | None = None) -> onnxruntime.SessionOptions:
    """Options for a server that shares its cores: no more threads than cores, none of them spinning."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def cuda_devices() -> int:
    """CUDA devices that the driver shows.

    onnxruntime-gpu names the CUDA provider as available on machines without a device, and only logs an error when
    a session then falls back to the CPU; asking the driver decides before.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value
