"""torchvision without PyTorch's compiler, which takes twice as long to import as PyTorch itself.

`torchvision.ops.roi_align`, which no network here uses, imports one function of `torch._dynamo.utils` and with it the
whole compiler. While torchvision is imported, a stand-in gives it that function; who wants the compiler later gets the
real one. Where the compiler is loaded already, or a torchvision no longer asks for it, nothing happens here.
"""

import sys
from types import ModuleType
from typing import Final

COMPILER: Final = "torch._dynamo.utils"


def import_torchvision() -> None:
    """Import torchvision and its models."""
    if COMPILER in sys.modules:
        return
    stand_in = ModuleType(COMPILER)
    stand_in.is_compile_supported = lambda _device_type: False  # type: ignore[attr-defined]
    sys.modules[COMPILER] = stand_in
    try:
        import torchvision.models  # noqa: F401
    finally:
        del sys.modules[COMPILER]
