"""Load each graph into onnxruntime once per process: many tests would spend most of their time on loading."""

from collections.abc import Callable
from typing import Any, Final

import onnxruntime
import pytest

from cxr.model import cpu, openvino
from cxr.model.bundle_files import sha256

MOST: Final = 12  # sessions to keep; a graph of the tests' bundle takes 60 MB


def reused(patch: pytest.MonkeyPatch) -> None:
    """Return the same session when a graph is loaded again with the same options. Sessions keep no state."""
    made: dict[Any, Any] = {}
    load = openvino.session

    def once(key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        # A test's replacement of onnxruntime or of its devices gets sessions of its own.
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
