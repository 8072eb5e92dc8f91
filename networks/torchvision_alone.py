"""Import torchvision's networks without PyTorch's compiler, which takes twice as long to import as PyTorch itself.

`torchvision.ops.roi_align`, which no network here uses, imports one function of `torch._dynamo.utils` and so the whole
compiler. torchvision's data sets and ONNX operators take two thirds of the remaining time. Its registrations for
compiled operators fail where these were built for CUDA and PyTorch was not; no network here uses these either. Empty
modules replace all of them while torchvision is imported. A later import gets the real module; loaded modules stay.
"""

import importlib
import sys
from types import ModuleType
from typing import Any, Final


def _nothing(*_: Any) -> None:
    """Replaces every function that torchvision requests at import."""


STAND_INS: Final[dict[str, tuple[str, ...]]] = {
    "torch._dynamo.utils": ("is_compile_supported",),
    "torchvision._autograd_registrations": (),
    "torchvision._meta_registrations": (),
    "torchvision.datasets": (),
    "torchvision.ops._register_onnx_ops": ("_register_custom_op",),
}
"""The replaced modules, and the functions that are imported from each."""


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
