"""torchvision's networks without what comes along: PyTorch's compiler takes twice as long to import as PyTorch itself.

`torchvision.ops.roi_align`, which no network here uses, imports one function of `torch._dynamo.utils` and with it the
whole compiler; its data sets and its ONNX operators take two thirds of what is left. What it registers for its compiled
operators, which no network here uses either, fails where these were built for CUDA and PyTorch was not. While
torchvision is imported, empty stand-ins are in their places. Who wants one of them later gets the real one; what is loaded already stays.
"""

import importlib
import sys
from types import ModuleType
from typing import Any, Final


def _nothing(*_: Any) -> None:
    """In the place of every function that is asked for at import."""


STAND_INS: Final[dict[str, tuple[str, ...]]] = {
    "torch._dynamo.utils": ("is_compile_supported",),
    "torchvision._autograd_registrations": (),
    "torchvision._meta_registrations": (),
    "torchvision.datasets": (),
    "torchvision.ops._register_onnx_ops": ("_register_custom_op",),
}
"""Modules, and the functions that are imported from each."""


def import_torchvision() -> None:
    """Import torchvision and its models."""
    if "torchvision" in sys.modules:
        return
    put = {name: _stand_in(name, functions) for name, functions in STAND_INS.items() if name not in sys.modules}
    sys.modules.update(put)
    try:
        importlib.import_module("torchvision.models")
    finally:
        for name, module in put.items():
            del sys.modules[name]
            package, _, attribute = name.rpartition(".")
            if getattr(sys.modules.get(package), attribute, None) is module:
                delattr(sys.modules[package], attribute)


def _stand_in(name: str, functions: tuple[str, ...]) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(dict.fromkeys(functions, _nothing))
    return module
