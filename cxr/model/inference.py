"""Members' ONNX graphs in onnxruntime: prepared images → logits."""

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
import onnxruntime

from cxr.arrays import Logits, Views
from cxr.cpu_count import usable_cores
from cxr.model import cuda
from cxr.model.bundle import Bundle, Precision
from cxr.model.sessions import INPUT, OUTPUT, Graph, session_options

MAX_BATCH: Final = 64


class Device(Protocol):
    """Where networks run. `max_batch` is how many images pay to be given at once: 1 where it gains nothing."""

    provider: str
    max_batch: int

    def logits(self, views: Views) -> Logits: ...


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
            side, sizes = bundle.manifest.recipe.size, cuda.batch_sizes(max_batch)
            device = cuda.load(graphs_of(bundle, self.precision), side, sizes, self.precision)
        if device is not None:
            self._alone = self._among = device
        else:
            self.precision = precision or "float32"
            self._alone, self._among = processors(graphs_of(bundle, self.precision), threads or usable_cores())
        self.provider = self._alone.provider
        self.max_batch = self._alone.max_batch

    def logits(self, views: Views, alone: bool = True) -> Logits:
        """Prepared images [N, S, S] uint8 in each frame → logits [M, N, 3], members in the manifest's order.

        `alone`: the cores have nothing else to do. It changes how soon the answer comes, on a processor.
        """
        return (self._alone if alone else self._among).logits(views)


def graphs_of(bundle: Bundle, precision: Precision) -> list[Graph]:
    """The members' graphs. Raises BundleError if one is missing, altered, or made from other weights."""
    return [Graph(member.frame, bundle.read_onnx(member, precision)) for member in bundle.manifest.members]


def processors(graphs: Sequence[Graph], threads: int) -> "tuple[Processor, Processor]":
    """For an inference that has the processor to itself, and for each of several at once: that has one thread.

    Several threads of one inference wait for each other at every layer; several inferences do not. Eight clients
    on two cores get 6 % more answers so, and a lone one gets its own in half the time (docs/performance.md).
    """
    alone = Processor(graphs, threads)
    return alone, alone if threads == 1 else Processor(graphs, 1)


class Processor:
    """The processor's cores, so many of them."""

    provider = "CPUExecutionProvider"
    max_batch = 1

    def __init__(self, graphs: Sequence[Graph], threads: int) -> None:
        options, providers = session_options(threads), [self.provider]
        self._sessions = [
            (frame, onnxruntime.InferenceSession(data, options, providers=providers)) for frame, data in graphs
        ]

    def logits(self, views: Views) -> Logits:
        """Prepared images [N, S, S] uint8 in each frame → logits [M, N, 3]."""
        batches = {frame: images[:, np.newaxis] for frame, images in views.items()}
        return np.stack([session.run([OUTPUT], {INPUT: batches[frame]})[0] for frame, session in self._sessions])
