"""Run networks in bfloat16 on a CPU with AMX, with OpenVINO as a plug-in execution provider of onnxruntime.

OpenVINO reads the float32 graphs and rounds to bfloat16 between layers; sums stay float32. The package
onnxruntime-ep-openvino (the extra `openvino`) contains the plug-in and OpenVINO. Without AMX tiles OpenVINO is not
used: in float32 it gains nothing over onnxruntime, and in float16 it is slower (docs/performance.md).
"""

import json
import logging
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime

from cxr.arrays import Logits, Views
from cxr.model.sessions import BATCH, INPUT, OUTPUT, Graph, session_options
from cxr.model.views import parts_of

logger = logging.getLogger("cxr.model")

PACKAGE: Final = "onnxruntime_ep_openvino"
OPENVINO: Final = "OpenVINOExecutionProvider"
TILES: Final = frozenset({"amx_tile", "amx_bf16"})
CPUINFO: Final = Path("/proc/cpuinfo")

NEEDS: Final = (
    "The precision bfloat16 needs a processor with AMX (amx_bf16 among the flags in /proc/cpuinfo) and the package "
    "onnxruntime-ep-openvino. The precision auto takes what is there."
)


def usable() -> bool:
    """Whether the CPU has bfloat16 tiles and the package is installed."""
    return _has_tiles() and find_spec(PACKAGE) is not None


def load(graphs: Sequence[Graph], threads: int, at_once: int) -> "tuple[OpenVino, OpenVino] | None":
    """A device with `threads` threads for a single inference, and one for `at_once` inferences of a thread each.

    None if it is not `usable`, or if onnxruntime cannot load the plug-in, which is then logged.
    """
    if not usable() or not _devices():
        return None
    among = OpenVino(graphs, at_once, streams=at_once)
    return (among if threads == 1 else OpenVino(graphs, threads, streams=1)), among


def session(graph: bytes, threads: int, streams: int) -> onnxruntime.InferenceSession:
    """A session that runs a float32 graph in bfloat16, one image per run.

    Args:
        graph: its bytes.
        threads: the number of threads of all streams together.
        streams: the number of runs at once, each on its share of the threads; further runs wait.

    With a fixed batch OpenVINO chooses its kernels once: a run takes 4.4 instead of 6.6 ms on one thread. Threads are
    not pinned, because every process of a machine would pin the same cores.
    """
    options = session_options(1)  # onnxruntime itself computes nothing
    options.add_free_dimension_override_by_name(BATCH, 1)
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")  # an unsupported operator is an error
    config = {
        "INFERENCE_PRECISION_HINT": "bf16",
        "INFERENCE_NUM_THREADS": str(threads),
        "NUM_STREAMS": str(streams),
        "ENABLE_CPU_PINNING": "NO",
    }
    options.add_provider_for_devices(_devices(), {"load_config": json.dumps({"CPU": config})})
    return onnxruntime.InferenceSession(graph, options)


class OpenVino:
    """The CPU, with `streams` runs at once."""

    provider = OPENVINO
    max_batch = 1

    def __init__(self, graphs: Sequence[Graph], threads: int, streams: int) -> None:
        self._sessions = [(frame, session(data, threads, streams)) for frame, data in graphs]

    def logits(self, views: Views) -> Logits:
        """Prepared images [N, S, S] uint8 in each frame → logits [M, N, 3]."""
        return np.concatenate([self._single(image) for image in parts_of(views, 1)], axis=1)

    def _single(self, image: Views) -> Logits:
        feeds = {frame: {INPUT: pixels[:, np.newaxis]} for frame, pixels in image.items()}
        return np.stack([session.run([OUTPUT], feeds[frame])[0] for frame, session in self._sessions])


def _has_tiles() -> bool:
    """Whether the kernel reports that the CPU multiplies bfloat16 matrices in tiles."""
    try:
        lines = CPUINFO.read_text().splitlines()
    except OSError:  # not Linux
        return False
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return TILES.issubset(flags)


@cache
def _devices() -> list[Any]:
    """OpenVINO's CPU device in onnxruntime's form; empty if the plug-in does not load."""
    import onnxruntime_ep_openvino as plug_in

    try:
        onnxruntime.register_execution_provider_library(PACKAGE, plug_in.get_library_path())
    except Exception as error:  # onnxruntime's errors have no common base class
        logger.warning("OpenVINO's plug-in is installed, but onnxruntime does not load it: %s", error)
        return []
    return [
        device
        for device in onnxruntime.get_ep_devices()
        if device.ep_name == OPENVINO and device.ep_metadata.get("ov_device") == "CPU"
    ]
