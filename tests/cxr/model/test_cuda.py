"""The CUDA device, faked in all tests but one: captures, assignment of batches, and the absence of a device."""

import threading
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from cxr.arrays import Views
from cxr.model import cuda, cuda_driver
from cxr.model.bundle import Bundle, Precision
from cxr.model.cuda import CUDA, Captured, Cuda, Lane, batch_sizes
from cxr.model.cuda_driver import Copies
from cxr.model.frames import FULL, LUNGS
from cxr.model.inference import Ensemble
from cxr.model.sessions import OPACITY, OUTPUT, Graph
from tests.bundles import framed
from tests.cuda import FakeDriver

SIDE = 4


class Value:
    """An OrtValue: an array at an address that never changes."""

    def __init__(self, array: Any) -> None:
        self.array = np.array(array)

    def data_ptr(self) -> int:
        return int(self.array.ctypes.data)


class Session:
    """A network whose logits are `scale` times each image's mean, three times over."""

    def __init__(self, scale: float, provider: str = CUDA) -> None:
        self.scale, self.provider = scale, provider
        self.runs: list[tuple[int, str, int]] = []

    def get_providers(self) -> list[str]:
        return [self.provider, "CPUExecutionProvider"]

    def get_outputs(self) -> list[Any]:
        return [SimpleNamespace(name=OPACITY, shape=["N", 1, 7, 7]), SimpleNamespace(name=OUTPUT, shape=["N", 3])]

    def io_binding(self) -> Any:
        bound: dict[str, Value] = {}
        return SimpleNamespace(
            bound=bound,
            bind_ortvalue_input=bound.__setitem__,
            bind_ortvalue_output=bound.__setitem__,
        )

    def run_with_iobinding(self, binding: Any, options: onnxruntime.RunOptions) -> None:
        image, logits = binding.bound["image"].array, binding.bound["logits"].array
        self.runs.append((len(image), options.get_run_config_entry("gpu_graph_id"), threading.get_ident()))
        logits[:] = self.scale * image.mean(axis=(1, 2, 3), dtype=np.float32)[:, None]


@pytest.fixture(autouse=True)
def values(monkeypatch: pytest.MonkeyPatch) -> None:
    def of_shape(shape: Sequence[int], dtype: Any, device: str, number: int) -> Value:
        assert (device, number) == ("cuda", 0)
        return Value(np.zeros(shape, dtype))

    fake = SimpleNamespace(
        ortvalue_from_numpy=lambda array, device, number: of_shape(array.shape, array.dtype, device, number),
        ortvalue_from_shape_and_type=of_shape,
    )
    monkeypatch.setattr("cxr.model.cuda.onnxruntime.OrtValue", fake)
    monkeypatch.setattr("ctypes.CDLL", {cuda_driver.LIBRARY: FakeDriver(1)}.__getitem__)


def noise(count: int) -> Views:
    return {FULL: np.random.default_rng(count).integers(0, 256, (count, SIDE, SIDE), dtype=np.uint8)}


def full(*scales: float) -> list[Any]:
    """Sessions of networks with the full frame."""
    return [(FULL, Session(scale)) for scale in scales]


def expected(views: Views, *scales: float) -> Any:
    means = views[FULL].mean(axis=(1, 2), dtype=np.float32)
    return np.stack([np.repeat(scale * means[:, None], 3, axis=1) for scale in scales])


@pytest.mark.parametrize(
    ("largest", "sizes"), [(1, [1]), (2, [1, 2]), (8, [1, 2, 4, 8]), (48, [1, 2, 4, 8, 16, 32, 48])]
)
def test_batch_sizes_double_up_to_the_largest(largest: int, sizes: list[int]) -> None:
    assert batch_sizes(largest) == sizes


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 9, 21])
def test_each_image_gets_its_own_logits_whatever_the_padding(count: int) -> None:
    device = Cuda([Lane({size: full(1, 10) for size in [1, 2, 8]}, SIDE) for _ in range(2)])
    for _ in range(2):  # the second batch overwrites what the first one left in the padding
        images = noise(count)
        np.testing.assert_allclose(device.logits(images), expected(images, 1, 10))
    assert (device.provider, device.max_batch) == (CUDA, 8)


@pytest.mark.parametrize("count", [1, 2, 3, 11])
def test_each_member_is_given_its_frame(count: int) -> None:
    device = Cuda([Lane({size: [(LUNGS, Session(1)), *full(10)] for size in [2, 8]}, SIDE)])
    bright = {FULL: noise(count)[FULL] // 2 + 128}
    logits = device.logits({**noise(count), LUNGS: bright[FULL]})
    np.testing.assert_allclose(logits, np.concatenate([expected(bright, 1), expected(noise(count), 10)]))


def test_every_size_is_captured_before_the_first_request_in_the_thread_that_replays_it() -> None:
    session = Session(1)
    lane = Lane({size: [(FULL, session)] for size in [1, 4]}, SIDE)
    assert [run[:2] for run in session.runs] == [(1, "1")] * 3 + [(4, "4")] * 3
    session.runs.clear()
    lane.logits(noise(3))
    ((size, graph, thread),) = session.runs
    assert (size, graph) == (4, "4")
    assert thread != threading.get_ident()
    lane.logits(noise(1))
    assert {run[2] for run in session.runs} == {thread}


def test_a_batch_uses_the_smallest_size_that_holds_it() -> None:
    session = Session(1)
    device = Cuda([Lane({size: [(FULL, session)] for size in [1, 2, 8]}, SIDE)])
    session.runs.clear()
    device.logits(noise(8 + 2))
    assert [size for size, *_ in session.runs] == [8, 2]


def test_what_is_returned_is_not_overwritten_by_the_next_batch() -> None:
    captured = Captured(full(1), SIDE, 2, Copies())
    images = noise(2)
    first = captured.logits(images)
    captured.logits({FULL: images[FULL] + 1})
    np.testing.assert_allclose(first, expected(images, 1))


@pytest.mark.parametrize(("precision", "tf32"), [("float32", "0"), ("float16", "1")])
def test_float32_does_not_use_tf32(precision: Precision, tf32: str) -> None:
    assert cuda.provider_options(precision, "HEURISTIC")["use_tf32"] == tf32


def load(
    monkeypatch: pytest.MonkeyPatch, provider: str, sizes: Sequence[int] = (1, 2, 4)
) -> tuple[Cuda | None, list[tuple[str, Session]]]:
    """A device whose sessions have this provider, and its sessions by their search for algorithms."""
    sessions: list[tuple[str, Session]] = []

    def session(_graph: bytes, _options: Any, providers: list[tuple[str, dict[str, str]]]) -> Session:
        sessions.append((providers[-1][1]["cudnn_conv_algo_search"], Session(1, provider)))
        return sessions[-1][1]

    monkeypatch.setattr("cxr.model.cuda.onnxruntime.preload_dlls", lambda: None)
    monkeypatch.setattr("cxr.model.cuda.onnxruntime.InferenceSession", session)
    return cuda.load([Graph(FULL, b"")], SIDE, sizes, "float16"), sessions


def test_the_largest_batch_alone_has_every_algorithm_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    device, sessions = load(monkeypatch, CUDA)
    assert device is not None
    assert device.max_batch == 4
    ran = [(search, {size for size, *_ in session.runs}) for search, session in sessions]
    assert ran == [("HEURISTIC", {1, 2}), ("EXHAUSTIVE", {4})] * cuda.LANES
    assert [search for search, _ in load(monkeypatch, CUDA, [1])[1]] == ["EXHAUSTIVE"] * cuda.LANES
    np.testing.assert_allclose(device.logits(noise(7)), expected(noise(7), 1))


def test_sessions_that_fell_back_to_the_cpu_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch, "CPUExecutionProvider")[0] is None


@pytest.mark.gpu
def test_a_real_device_agrees_with_the_cpu(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    bundle = framed(bundle, tmp_path / "bundle", LUNGS, FULL)
    upright = np.random.default_rng(0).integers(0, 256, (11, 64, 64), dtype=np.uint8)
    images = {FULL: upright, LUNGS: 255 - upright}
    on_gpu = Ensemble(bundle, precision="float32", max_batch=8)
    assert on_gpu.provider == CUDA
    monkeypatch.setattr(cuda_driver, "devices", lambda: 0)
    on_cpu = Ensemble(bundle, precision="float32")
    np.testing.assert_allclose(on_gpu.logits(images), on_cpu.logits(images), rtol=0, atol=1e-3)
