"""What every onnxruntime session of the project shares: the names of a graph's ends, and the options."""

from typing import Final, NamedTuple

import onnxruntime

from cxr.cpu_count import usable_cores

INPUT: Final = "image"
OUTPUT: Final = "logits"
BATCH: Final = "N"
"""Name of the first dimension of both, which is free."""
OPACITY: Final = "opacity"
"""Second output of a network with the opacity head: float32 [N, 1, h, w], for each cell of the last feature map (7 x 7
in a ResNet that sees 224 pixels) the logit of the share that opacities cover."""


class Graph(NamedTuple):
    """A member's exported graph, and the frame that it sees."""

    frame: str
    data: bytes


def outputs(opacity_head: bool) -> list[str]:
    """The outputs of a member's graph."""
    return [OUTPUT, OPACITY] if opacity_head else [OUTPUT]


def session_options(threads: int | None = None) -> onnxruntime.SessionOptions:
    """Options for a server that shares its cores: no more threads than cores, none of them spinning."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or usable_cores()
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options
