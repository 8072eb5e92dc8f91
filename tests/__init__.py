"""The tests. Without a GPU Triton's kernels run in its interpreter.

Triton reads that setting when it is imported, so this module sets it before any other import.
"""

import os

import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"
