"""Networks in bfloat16 on a processor with AMX, by OpenVINO: an execution provider that is a plug-in of onnxruntime.

It runs the float32 graphs and rounds to bfloat16 itself, between layers; sums are float32. The package
onnxruntime-ep-openvino, the extra `openvino`, holds the plug-in and OpenVINO. In float32 OpenVINO gains nothing over
onnxruntime, and in float16 it is slower (docs/performance.md), so that without AMX's tiles it is not used.
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
from cxr.cpu_count import usable_cores
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
    """Whether the processor has bfloat16 tiles and the package is installed."""
    return _has_tiles() and find_spec(PACKAGE) is not None


def load(graphs: Sequence[Graph], threads: int) -> "tuple[OpenVino, OpenVino] | None":
    """For an inference that has the processor to itself, with so many threads; and for several at once.

    None where it is not `usable`, or where onnxruntime cannot load the plug-in, which the log then says.
    """
    if not usable() or not _devices():
        return None
    cores = usable_cores()
    among = OpenVino(graphs, cores, streams=cores)
    return (among if threads == 1 else OpenVino(graphs, threads, streams=1)), among


def session(graph: bytes, threads: int, streams: int) -> onnxruntime.InferenceSession:
    """A float32 graph that computes in bfloat16, one image a run.

    Args:
        graph: its bytes.
        threads: of all streams together.
        streams: runs at once, each on its share of the threads; others wait for their turn.

    With the batch fixed OpenVINO chooses its kernels once: a run takes 4.4 instead of 6.6 ms on one thread. Threads
    are not pinned, since every process of a machine would take the same cores.
    """
    options = session_options(1)  # onnxruntime has nothing to compute
    options.add_free_dimension_override_by_name(BATCH, 1)
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")  # what it cannot run is an error
    config = {
        "INFERENCE_PRECISION_HINT": "bf16",
        "INFERENCE_NUM_THREADS": str(threads),
        "NUM_STREAMS": str(streams),
        "ENABLE_CPU_PINNING": "NO",
    }
    options.add_provider_for_devices(_devices(), {"load_config": json.dumps({"CPU": config})})
    return onnxruntime.InferenceSession(graph, options)


class OpenVino:
    """The processor's cores, in so many streams."""

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
    """Whether the processor multiplies bfloat16 matrices in tiles, and the kernel shows it."""
    try:
        lines = CPUINFO.read_text().splitlines()
    except OSError:  # no Linux
        return False
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return TILES.issubset(flags)


@cache
def _devices() -> list[Any]:
    """OpenVINO's device for the processor, as onnxruntime wants it; empty if the plug-in does not load."""
    import onnxruntime_ep_openvino as plug_in

    try:
        onnxruntime.register_execution_provider_library(PACKAGE, plug_in.get_library_path())
    except Exception as error:  # onnxruntime's errors have no common base
        logger.warning("OpenVINO's plug-in is installed, but onnxruntime does not load it: %s", error)
        return []
    return [
        device
        for device in onnxruntime.get_ep_devices()
        if device.ep_name == OPENVINO and device.ep_metadata.get("ov_device") == "CPU"
    ]
