"""What every onnxruntime session of the project shares: the names of a graph's ends, and the options."""

from typing import Final

import onnxruntime

from cxr.cpu_count import usable_cores

INPUT: Final = "image"
OUTPUT: Final = "logits"


def session_options(threads: int | None = None) -> onnxruntime.SessionOptions:
    """Options for a server that shares its cores: no more threads than cores, none of them spinning."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or usable_cores()
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options
