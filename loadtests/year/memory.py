"""The memory of a service's workers. Any of them may be replaced at any moment."""

import threading
from types import TracebackType
from typing import Final, Self

import numpy as np
import psutil

from loadtests.chaos import WORKERS
from scripts.server import Server

EVERY_S: Final = 2.0
GROWTH_MB: Final = 100.0
"""Allowed growth in MB from the second to the last quarter's median. Two bundles alternate, and killed workers
restart with little memory, so readings vary."""


class Watch:
    """Reads every worker's resident memory, from entry to exit of the context."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._read_mb: dict[str, list[float]] = {worker: [] for worker in WORKERS}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def rows(self) -> list[tuple[str, str]]:
        """For each worker: the medians of the four quarters of the time, and the maximum, in MB."""
        return [
            (worker, f"{' → '.join(f'{mb:.0f}' for mb in self._quarters(worker))}, at most {max(read):.0f}")
            for worker, read in self._read_mb.items()
        ]

    def faults(self) -> list[str]:
        """The workers whose memory grew too much."""
        grown = {worker: self._quarters(worker)[3] - self._quarters(worker)[1] for worker in self._read_mb}
        return [f"{worker} grew by {mb:.0f} MB" for worker, mb in grown.items() if mb > GROWTH_MB]

    def _quarters(self, worker: str) -> list[float]:
        return [float(np.median(part)) for part in np.array_split(self._read_mb[worker], 4)]

    def _read(self) -> None:
        while not self._over.wait(EVERY_S):
            for worker, read in self._read_mb.items():
                try:
                    read.append(self._server.worker(worker).memory_info().rss / 1e6)
                except (StopIteration, psutil.Error):  # no worker between two processes
                    continue
