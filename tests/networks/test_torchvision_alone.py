"""torchvision comes without PyTorch's compiler, and whoever wants the compiler gets the real one."""

import subprocess
import sys


def test_the_compiler_is_not_imported_and_can_be() -> None:
    code = (
        "import sys; import networks.architectures; print('torch._dynamo' in sys.modules)\n"
        "from torch._dynamo.utils import is_compile_supported; print(is_compile_supported.__module__)\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["False", "torch._dynamo.utils"]
