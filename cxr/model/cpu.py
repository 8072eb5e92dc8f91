"""Networks on a processor's cores, by onnxruntime itself: in float32, or in what the graphs were rounded to."""

from collections.abc import Sequence

import numpy as np
import onnxruntime

from cxr.arrays import Logits, Views
from cxr.model.sessions import INPUT, OUTPUT, Graph, session_options


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
