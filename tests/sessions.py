"""Sessions of onnxruntime, of each graph once in a process: loading them is most of what many tests would do."""

from collections.abc import Callable
from typing import Any, Final

import onnxruntime
import pytest

from cxr.model import cpu, openvino
from cxr.model.bundle_files import sha256

MOST: Final = 12  # that are kept; a graph of the tests' bundle takes 60 MB


def reused(patch: pytest.MonkeyPatch) -> None:
    """Hand a session out again, which keeps no state, where the same graph is to be loaded in the same way."""
    made: dict[Any, Any] = {}
    load = openvino.session

    def once(key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        # What a test puts in place of onnxruntime or its devices makes sessions of its own.
        whole = (onnxruntime.InferenceSession, openvino._devices, *key)
        if whole not in made:
            if len(made) == MOST:
                made.pop(next(iter(made)))
            made[whole] = make()
        return made[whole]

    class Reused:
        """onnxruntime as `cxr.model.cpu` uses it."""

        @staticmethod
        def InferenceSession(data: bytes, options: Any, providers: list[str]) -> Any:
            key = (sha256(data), options.intra_op_num_threads, *providers)
            return once(key, lambda: onnxruntime.InferenceSession(data, options, providers=providers))

    def session(graph: bytes, threads: int, streams: int) -> Any:
        return once((sha256(graph), threads, streams), lambda: load(graph, threads, streams))

    patch.setattr(cpu, "onnxruntime", Reused)
    patch.setattr(openvino, "session", session)
