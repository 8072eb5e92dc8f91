"""The CUDA device, faked in all tests but one: captures, assignment of batches, and the absence of a device."""

import ctypes
import gc
import math
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
from cxr.model.cuda import CUDA, Cuda, Lane, batch_sizes
from cxr.model.cuda_driver import Turns
from cxr.model.frames import FULL, LUNGS
from cxr.model.inference import Ensemble
from cxr.model.sessions import OPACITY, OUTPUT, Graph
from tests.bundles import framed
from tests.cuda import STREAM, FakeDriver

SIDE = 4


@pytest.fixture(autouse=True)
def driver(monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    fake = FakeDriver(1)
    monkeypatch.setattr("ctypes.CDLL", {cuda_driver.LIBRARY: fake}.__getitem__)
    return fake


class Value:
    """An OrtValue: an array at an address that never changes."""

    def __init__(self, shape: Sequence[int], dtype: Any, device: str, number: int) -> None:
        assert (device, number) == ("cuda", 0)
        self.array = np.full(shape, 255, dtype)

    def data_ptr(self) -> int:
        return int(self.array.ctypes.data)


class Session:
    """A network whose logits are `scale` times each image's mean, three times over, once they have been waited for."""

    def __init__(self, driver: FakeDriver, scale: float, options: dict[str, str]) -> None:
        self.driver, self.scale, self.options = driver, scale, options
        self.runs: list[tuple[int, str, int]] = []
        self.shared: dict[tuple[str, int], bool] = {}

    def get_providers(self) -> list[str]:
        return [CUDA, "CPUExecutionProvider"]

    def get_outputs(self) -> list[Any]:
        return [SimpleNamespace(name=OPACITY, shape=["N", 1, 7, 7]), SimpleNamespace(name=OUTPUT, shape=["N", 3])]

    def io_binding(self) -> Any:
        bound: dict[str, Any] = {}

        def bind(name: str, device: str, number: int, dtype: Any, shape: Sequence[int], address: int) -> None:
            assert (device, number) == ("cuda", 0)
            memory = (ctypes.c_byte * (math.prod(shape) * np.dtype(dtype).itemsize)).from_address(address)
            bound[name] = np.frombuffer(memory, dtype).reshape(shape)
            self.shared[name, shape[0]] = address in self.driver.memory

        return SimpleNamespace(bound=bound, bind_input=bind, bind_output=bind)

    def run_with_iobinding(self, binding: Any, options: onnxruntime.RunOptions) -> None:
        image, logits = binding.bound["image"], binding.bound["logits"]
        assert options.get_run_config_entry("disable_synchronize_execution_providers") == "1"
        self.runs.append((len(image), options.get_run_config_entry("gpu_graph_id"), threading.get_ident()))

        def compute() -> None:
            logits[:] = self.scale * image.mean(axis=(1, 2, 3), dtype=np.float32)[:, None]

        self.driver.work.append(compute)


@pytest.fixture(autouse=True)
def sessions(driver: FakeDriver, monkeypatch: pytest.MonkeyPatch) -> list[Session]:
    """The sessions that the test loads. A graph's bytes are its network's scale."""
    made: list[Session] = []

    def session(graph: bytes, _options: Any, providers: list[tuple[str, dict[str, str]]]) -> Session:
        ((provider, options),) = providers
        assert provider == CUDA
        made.append(Session(driver, float(graph), options))
        return made[-1]

    monkeypatch.setattr("cxr.model.cuda.onnxruntime.preload_dlls", lambda: None)
    monkeypatch.setattr("cxr.model.cuda.onnxruntime.OrtValue", SimpleNamespace(ortvalue_from_shape_and_type=Value))
    monkeypatch.setattr("cxr.model.cuda.onnxruntime.InferenceSession", session)
    return made


def noise(count: int) -> Views:
    return {FULL: np.random.default_rng(count).integers(0, 256, (count, SIDE, SIDE), dtype=np.uint8)}


def full(*scales: float) -> list[Graph]:
    """Graphs of networks with the full frame."""
    return [graph(FULL, scale) for scale in scales]


def graph(frame: str, scale: float) -> Graph:
    return Graph(frame, str(scale).encode())


def lane(graphs: Sequence[Graph], *sizes: int) -> Lane:
    return Lane(graphs, SIDE, sizes, "float16", Turns(1))


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
    device = Cuda([lane(full(1, 10), 1, 2, 8) for _ in range(2)])
    for _ in range(2):  # the second batch overwrites what the first one left in the padding
        images = noise(count)
        np.testing.assert_allclose(device.logits(images), expected(images, 1, 10))
    assert (device.provider, device.max_batch) == (CUDA, 8)


@pytest.mark.parametrize("count", [1, 2, 3, 11])
def test_each_member_is_given_its_frame(count: int) -> None:
    device = Cuda([lane([graph(LUNGS, 1), graph(FULL, 10)], 2, 8)])
    bright = {FULL: noise(count)[FULL] // 2 + 128}
    logits = device.logits({**noise(count), LUNGS: bright[FULL]})
    np.testing.assert_allclose(logits, np.concatenate([expected(bright, 1), expected(noise(count), 10)]))


def test_every_size_is_captured_before_the_first_request_in_the_thread_that_replays_it(sessions: list[Session]) -> None:
    its = lane(full(1), 1, 4)
    small, large = sessions
    assert [run[:2] for run in small.runs + large.runs] == [(1, "1")] * 3 + [(4, "4")] * 3
    its.logits(noise(3))
    its.logits(noise(1))
    assert (small.runs[-1][:2], large.runs[-1][:2]) == ((1, "1"), (4, "4"))
    threads = {run[2] for run in small.runs + large.runs}
    assert len(threads) == 1
    assert threads != {threading.get_ident()}


def test_a_batch_uses_the_smallest_size_that_holds_it(sessions: list[Session]) -> None:
    device = Cuda([lane(full(1), 1, 2, 8)])
    for session in sessions:
        session.runs.clear()
    device.logits(noise(8 + 2))
    assert [[size for size, *_ in session.runs] for session in sessions] == [[2], [8]]


def test_a_batch_is_waited_for_once_whatever_the_number_of_members(driver: FakeDriver) -> None:
    its = lane(full(1, 2, 3), 4)
    before = driver.calls.count("cuEventSynchronize")
    its.logits(noise(4))
    assert driver.calls.count("cuEventSynchronize") == before + 1


def test_the_members_run_on_the_stream_that_is_waited_for(sessions: list[Session]) -> None:
    lane(full(1, 2), 1, 2)
    assert [session.options["user_compute_stream"] for session in sessions] == [str(STREAM)] * 4


def test_two_lanes_run_at_once_and_the_next_one_is_copied_meanwhile(driver: FakeDriver) -> None:
    device = cuda.load(full(1, 2), SIDE, [16], "float16")
    assert device is not None
    driver.calls.clear()
    driver.followed.clear()
    for count in (16, 15, 14, 13):
        np.testing.assert_allclose(device.logits(noise(count)), expected(noise(count), 1, 2))
    assert driver.followed == [2, 3, 1, 2]  # of three lanes, the one before the last
    assert driver.calls[:2] == ["cuMemcpyHtoDAsync_v2", "cuStreamWaitEvent"]


def test_what_is_returned_is_not_overwritten_by_the_next_batch() -> None:
    its, images = lane(full(1), 2), noise(2)
    first = its.logits(images)
    its.logits({FULL: images[FULL] + 1})
    np.testing.assert_allclose(first, expected(images, 1))


@pytest.mark.parametrize(("precision", "tf32"), [("float32", "0"), ("float16", "1")])
def test_float32_does_not_use_tf32(precision: Precision, tf32: str) -> None:
    assert cuda.provider_options(precision, "HEURISTIC", STREAM)["use_tf32"] == tf32


def test_the_largest_batch_alone_has_every_algorithm_tried(sessions: list[Session]) -> None:
    device = cuda.load(full(1), SIDE, [1, 2, 4], "float16")
    assert device is not None
    assert device.max_batch == 4
    ran = [(session.options["cudnn_conv_algo_search"], {size for size, *_ in session.runs}) for session in sessions]
    assert ran == [("HEURISTIC", {1, 2}), ("EXHAUSTIVE", {4})] * cuda.LANES
    np.testing.assert_allclose(device.logits(noise(7)), expected(noise(7), 1))
    sessions.clear()
    cuda.load(full(1), SIDE, [1], "float16")
    assert [session.options["cudnn_conv_algo_search"] for session in sessions] == ["EXHAUSTIVE"] * cuda.LANES


def test_sessions_that_fell_back_to_the_cpu_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "get_providers", lambda _: ["CPUExecutionProvider"])
    assert cuda.load(full(1), SIDE, [1], "float16") is None


def test_large_batches_alone_are_copied_to_the_device(sessions: list[Session]) -> None:
    its = lane(full(1), 8, 16)
    shared = sessions[0].shared | sessions[1].shared
    assert shared == {("image", 8): True, ("image", 16): False, ("logits", 8): True, ("logits", 16): True}
    for count in (16, 9, 8):
        np.testing.assert_allclose(its.logits(noise(count)), expected(noise(count), 1))


def test_memory_is_freed_with_the_device(driver: FakeDriver, sessions: list[Session]) -> None:
    device = Cuda([lane(full(1), 1, 2)])
    assert len(driver.memory) == 2 * 2  # an input and an output for each size
    del device
    sessions.clear()
    gc.collect()
    assert not driver.memory


@pytest.mark.gpu
def test_a_real_device_agrees_with_the_cpu(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    bundle = framed(bundle, tmp_path / "bundle", LUNGS, FULL)
    upright = np.random.default_rng(0).integers(0, 256, (19, 64, 64), dtype=np.uint8)
    images = {FULL: upright, LUNGS: 255 - upright}
    on_gpu = Ensemble(bundle, precision="float32", max_batch=16)
    assert on_gpu.provider == CUDA
    monkeypatch.setattr(cuda_driver, "devices", lambda: 0)
    on_cpu = Ensemble(bundle, precision="float32")
    np.testing.assert_allclose(on_gpu.logits(images), on_cpu.logits(images), rtol=0, atol=1e-3)
