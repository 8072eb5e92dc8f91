"""How many radiographs per second the CPU prepares: the upper limit of a service on a fast GPU.

Each process decodes and pre-processes the same files again and again, as the service does before a network sees them:
pre-processing includes the lung segmenter and the gate, which always run on the processor.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import cv2

from cxr.cpu_count import usable_cores
from cxr.model.bundle import Bundle
from cxr.pipeline import Preprocessor

WARM_UP_S: Final = 3.0


def rates(bundle: Path, files: Sequence[bytes], seconds: float) -> dict[str, float]:
    """Radiographs per second that one process prepares while all else rests, and that a process on each core do."""
    cores = usable_cores()
    return {
        "cores": cores,
        "one_core": _rate(bundle, files, 1, seconds),
        "all_cores": _rate(bundle, files, cores, seconds),
    }


def _rate(bundle: Path, files: Sequence[bytes], processes: int, seconds: float) -> float:
    begin = time.time() + WARM_UP_S + processes / 4
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(_prepared, bundle, files, begin, begin + seconds) for _ in range(processes)]
        return round(sum(job.result() for job in jobs) / seconds, 1)


def _prepared(bundle: Path, files: Sequence[bytes], begin: float, end: float) -> int:
    """Radiographs that this process prepares between two wall-clock times. It starts before, to be warm."""
    cv2.setNumThreads(1)
    preprocessor = Preprocessor(Bundle(bundle), gated=True)
    count = turn = 0
    while (now := time.time()) < end:
        preprocessor.prepare(files[turn % len(files)])
        turn += 1
        count += now >= begin
    return count
