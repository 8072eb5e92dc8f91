"""Members' ONNX graphs in onnxruntime: prepared images → logits."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Final, Protocol

import numpy as np
import onnxruntime

from cxr import cuda
from cxr.bundle import Bundle, Precision
from cxr.cores import usable_cores
from cxr.sessions import INPUT, OUTPUT, Images, Logits, session_options

MAX_BATCH: Final = 64


class Device(Protocol):
    """Where networks run. `max_batch` is how many images pay to be given at once: 1 where it gains nothing."""

    provider: str
    max_batch: int

    def logits(self, images: Images) -> Logits: ...


class Ensemble:
    """A bundle's members on the device that is there. Safe to call from several threads."""

    def __init__(
        self,
        bundle: Bundle,
        threads: int | None = None,
        precision: Precision | None = None,
        max_batch: int = MAX_BATCH,
    ) -> None:
        """Load every member's graph.

        Args:
            bundle: its graphs must have been exported.
            threads: threads of an inference that has the processor to itself; by default the usable cores.
            precision: by default float16 on a CUDA device and float32 on a processor.
            max_batch: largest batch that is prepared for, on a CUDA device.

        Raises:
            BundleError: a graph is missing, altered, or made from other weights.
        """
        device: Device | None = None
        if cuda.devices() and precision != "int8":  # eight-bit graphs are made for processors
            self.precision: Precision = precision or "float16"
            device = cuda.load(self._graphs(bundle), bundle.manifest.recipe.size, cuda.batch_sizes(max_batch))
        if device is None:
            self.precision = precision or "float32"
            device = Processor(self._graphs(bundle), threads or usable_cores())
        self._device = device
        self.provider = device.provider
        self.max_batch = device.max_batch

    def logits(self, images: Images) -> Logits:
        """Prepared images [N, S, S] uint8 → logits [M, N, 3], members in the manifest's order."""
        return self._device.logits(images)

    def _graphs(self, bundle: Bundle) -> list[bytes]:
        return [bundle.read_onnx(member, self.precision) for member in bundle.manifest.members]


class Processor:
    """The processor's cores: all of them for an inference that runs alone, one for each of several at once.

    Several threads of one inference wait for each other at every layer; several inferences do not. Eight clients
    on two cores get 6 % more answers so, and a lone one gets its own in half the time (docs/performance.md).
    """

    provider = "CPUExecutionProvider"
    max_batch = 1

    def __init__(self, graphs: Sequence[bytes], threads: int) -> None:
        self._wide = [_session(graph, threads) for graph in graphs]
        self._narrow = self._wide if threads == 1 else [_session(graph, 1) for graph in graphs]
        self._lock = Lock()
        self._running = 0

    def logits(self, images: Images) -> Logits:
        """Prepared images [N, S, S] uint8 → logits [M, N, 3]."""
        batch = images[:, np.newaxis]
        with self._sessions() as sessions:
            return np.stack([session.run([OUTPUT], {INPUT: batch})[0] for session in sessions])

    @contextmanager
    def _sessions(self) -> Iterator[list[onnxruntime.InferenceSession]]:
        with self._lock:
            alone = self._running == 0
            self._running += 1
        try:
            yield self._wide if alone else self._narrow
        finally:
            with self._lock:
                self._running -= 1


def _session(graph: bytes, threads: int) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(graph, session_options(threads), providers=[Processor.provider])
