"""What all onnxruntime sessions of the project share: the names of inputs and outputs, and the options."""

from typing import Final, NamedTuple

import onnxruntime

from cxr.cpu_count import usable_cores

INPUT: Final = "image"
OUTPUT: Final = "logits"
BATCH: Final = "N"
"""Name of the first dimension of input and output, which is free."""
OPACITY: Final = "opacity"
"""Second output of a network with the opacity head: float32 [N, 1, h, w]. For each cell of the last feature map (7 x 7
in a ResNet with 224-pixel input) it is the logit of the share of the cell that opacities cover."""


class Graph(NamedTuple):
    """A member's exported graph, and the frame that the member sees."""

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
