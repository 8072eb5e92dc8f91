"""torchvision is imported without PyTorch's compiler, data sets and ONNX; a later import gets the real module."""

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_what_takes_long_is_not_imported_and_can_be() -> None:
    code = (
        "import sys; import networks.architectures\n"
        "print([name in sys.modules for name in ('torch._dynamo', 'torchvision.datasets', 'torch.onnx')])\n"
        "from torch._dynamo.utils import is_compile_supported; print(is_compile_supported.__module__)\n"
        "from torchvision import datasets; print(datasets.FakeData.__module__)\n"
        "from torchvision.ops._register_onnx_ops import _register_custom_op as op; print(op.__module__)\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "[False, False, False]",
        "torch._dynamo.utils",
        "torchvision.datasets.fakedata",
        "torchvision.ops._register_onnx_ops",
    ]
