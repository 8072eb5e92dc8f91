"""The tests. Without a GPU Triton's kernels run in its interpreter.

Triton looks for that when it is imported, so it is said here, before anything else is.
"""

import os

import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"
