"""onnxruntime behind `Ensemble`: the members' logits, on the device that is there."""

import ctypes
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cxr import inference
from cxr.bundle import Bundle
from cxr.inference import Ensemble, cuda_devices, session_options
from cxr.nets import load_member

Images = NDArray[np.uint8]


@pytest.fixture(scope="module")
def ensemble(bundle: Bundle) -> Ensemble:
    return Ensemble(bundle)


@pytest.fixture(scope="module")
def images() -> Images:
    return np.random.default_rng(0).integers(0, 256, (5, 64, 64), dtype=np.uint8)


def test_logits_are_the_members_in_the_manifests_order(bundle: Bundle, ensemble: Ensemble, images: Images) -> None:
    logits = ensemble.logits(images)
    assert logits.shape == (2, 5, 3)
    assert logits.dtype == np.float32
    tolerance = 1e-4 if ensemble.precision == "float32" else 5e-2
    for member, said in zip(bundle.manifest.members, logits, strict=True):
        with torch.no_grad():
            expected = load_member(bundle, member)(torch.from_numpy(images)[:, None]).numpy()
        np.testing.assert_allclose(said, expected, rtol=0, atol=tolerance)


def test_an_image_in_a_batch_gets_what_it_gets_alone(ensemble: Ensemble, images: Images) -> None:
    together = ensemble.logits(images)
    alone = np.concatenate([ensemble.logits(image[np.newaxis]) for image in images], axis=1)
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-4 if ensemble.precision == "float32" else 5e-2)


def test_several_threads_get_what_one_gets(ensemble: Ensemble, images: Images) -> None:
    alone = [ensemble.logits(image[np.newaxis]) for image in images]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda i: ensemble.logits(images[i % 5][np.newaxis]), range(40)))
    for index, logits in enumerate(together):
        np.testing.assert_allclose(logits, alone[index % 5], rtol=0, atol=1e-5)


def test_sessions_do_not_spin_and_stay_within_their_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cxr.inference.os.sched_getaffinity", lambda _: {3, 5, 7})
    options = session_options()
    assert options.intra_op_num_threads == 3
    assert options.inter_op_num_threads == 1
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert session_options(2).intra_op_num_threads == 2


@pytest.mark.parametrize(
    ("devices", "provider", "precision"),
    [(0, "CPUExecutionProvider", "float32"), (1, "CUDAExecutionProvider", "float16")],
)
def test_float16_on_a_gpu_and_float32_without(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, devices: int, provider: str, precision: Any
) -> None:
    loaded: list[tuple[bytes, list[str]]] = []

    def session(data: bytes, _options: object, providers: list[str]) -> SimpleNamespace:
        loaded.append((data, providers))
        return SimpleNamespace(get_providers=lambda: [*providers, "CPUExecutionProvider"])

    preloads: list[None] = []
    monkeypatch.setattr(inference, "cuda_devices", lambda: devices)
    monkeypatch.setattr("cxr.inference.onnxruntime.preload_dlls", lambda: preloads.append(None))
    monkeypatch.setattr("cxr.inference.onnxruntime.InferenceSession", session)
    ensemble = Ensemble(bundle)
    assert (ensemble.provider, ensemble.precision) == (provider, precision)
    assert loaded == [(bundle.read_onnx(member, precision), [provider]) for member in bundle.manifest.members]
    assert len(preloads) == devices


def test_a_session_that_fell_back_to_the_cpu_is_not_called_cuda(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    fallen = SimpleNamespace(get_providers=lambda: ["CPUExecutionProvider"])
    monkeypatch.setattr(inference, "cuda_devices", lambda: 1)
    monkeypatch.setattr("cxr.inference.onnxruntime.preload_dlls", lambda: None)
    monkeypatch.setattr("cxr.inference.onnxruntime.InferenceSession", lambda *_args, **_kwargs: fallen)
    assert Ensemble(bundle).provider == "CPUExecutionProvider"


# --- The driver


class FakeDriver:
    """libcuda, as far as it is asked."""

    def __init__(self, devices: int, init: int = 0, count: int = 0) -> None:
        self.devices, self.init, self.count = devices, init, count

    def cuInit(self, _flags: int) -> int:
        return self.init

    def cuDeviceGetCount(self, reference: Any) -> int:
        reference._obj.value = self.devices
        return self.count


@pytest.mark.parametrize(
    ("driver", "devices"),
    [
        (FakeDriver(0), 0),
        (FakeDriver(1), 1),
        (FakeDriver(8), 8),
        (FakeDriver(4, init=100), 0),  # CUDA_ERROR_NO_DEVICE
        (FakeDriver(4, count=3), 0),
    ],
)
def test_devices_are_those_that_the_driver_shows(
    monkeypatch: pytest.MonkeyPatch, driver: FakeDriver, devices: int
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: {"libcuda.so.1": driver}[name])
    assert cuda_devices() == devices


def test_no_driver_no_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", absent)
    assert cuda_devices() == 0


def test_the_drivers_count_is_torchs() -> None:
    assert cuda_devices() == torch.cuda.device_count()
