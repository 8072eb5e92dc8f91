"""Run networks on the CPU with onnxruntime, in float32 or in the precision of the graphs."""

from collections.abc import Sequence

import numpy as np
import onnxruntime

from cxr.arrays import Logits, Views
from cxr.model.sessions import INPUT, OUTPUT, Graph, session_options


def processors(graphs: Sequence[Graph], threads: int) -> "tuple[Processor, Processor]":
    """A processor with all threads for a single inference, and one with one thread for each of several at once.

    The threads of one inference wait for each other at every layer; separate inferences do not. On two cores eight
    clients get 6 % more answers this way, and a single client waits half as long (docs/performance.md).
    """
    alone = Processor(graphs, threads)
    return alone, alone if threads == 1 else Processor(graphs, 1)


class Processor:
    """The CPU, with `threads` of its cores."""

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
