"""onnxruntime behind `Ensemble`: the members' logits, on the available device."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cxr.arrays import Views
from cxr.model import cuda, cuda_driver, openvino
from cxr.model.bundle import Bundle
from cxr.model.frames import FULL, LUNGS
from cxr.model.inference import Ensemble
from cxr.model.sessions import OPACITY, OUTPUT, Graph, outputs, session_options
from cxr.model.views import parts_of
from networks.architectures import load_member
from tests.bundles import framed


@pytest.fixture(scope="module")
def ensemble(bundle: Bundle) -> Ensemble:
    return Ensemble(bundle)


@pytest.fixture(scope="module")
def images() -> Views:
    return {FULL: np.random.default_rng(0).integers(0, 256, (5, 64, 64), dtype=np.uint8)}


def test_logits_are_the_members_in_the_manifests_order(bundle: Bundle, ensemble: Ensemble, images: Views) -> None:
    logits = ensemble.logits(images)
    assert logits.shape == (2, 5, 3)
    assert logits.dtype == np.float32
    tolerance = 1e-4 if ensemble.precision == "float32" else 5e-2
    for member, said in zip(bundle.manifest.members, logits, strict=True):
        with torch.no_grad():
            expected = load_member(bundle, member)(torch.from_numpy(images[FULL])[:, None]).numpy()
        np.testing.assert_allclose(said, expected, rtol=0, atol=tolerance)


def test_each_member_is_given_its_frame(bundle: Bundle, images: Views, tmp_path: Path) -> None:
    mixed = Ensemble(framed(bundle, tmp_path / "bundle", LUNGS, FULL))
    views = {FULL: images[FULL], LUNGS: np.ascontiguousarray(images[FULL][:, ::-1])}
    upside_down, upright = (Ensemble(bundle).logits({FULL: views[frame]}) for frame in (LUNGS, FULL))
    np.testing.assert_allclose(mixed.logits(views), np.stack([upside_down[0], upright[1]]), rtol=0, atol=1e-5)


def test_an_image_has_the_same_logits_alone_and_in_a_batch(ensemble: Ensemble, images: Views) -> None:
    together = ensemble.logits(images)
    alone = np.concatenate([ensemble.logits(image) for image in parts_of(images, 1)], axis=1)
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-4 if ensemble.precision == "float32" else 5e-2)


def test_several_threads_get_the_same_answers_as_one(ensemble: Ensemble, images: Views) -> None:
    single = list(parts_of(images, 1))
    alone = [ensemble.logits(image) for image in single]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda i: ensemble.logits(single[i % 5]), range(40)))
    for index, logits in enumerate(together):
        np.testing.assert_allclose(logits, alone[index % 5], rtol=0, atol=1e-5)


def test_a_lone_inference_gets_all_threads_and_each_of_several_gets_one(
    bundle: Bundle, images: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[int] = []

    class Session:
        def __init__(self, _graph: bytes, options: Any, providers: list[str]) -> None:
            assert providers == ["CPUExecutionProvider"]
            self.threads = options.intra_op_num_threads

        def run(self, outputs: list[str], feeds: Any) -> list[Any]:
            assert outputs == [OUTPUT]  # the second head is not requested
            used.append(self.threads)
            return [np.zeros((len(feeds["image"]), 3), np.float32)]

    monkeypatch.setattr("onnxruntime.InferenceSession", Session)
    monkeypatch.setattr(cuda_driver, "devices", lambda: 0)
    ensemble = Ensemble(bundle, threads=4, precision="float32")
    ensemble.logits(images)
    ensemble.logits(images, alone=False)
    assert used == [4, 4, 1, 1]  # the bundle's two members


def test_a_network_with_the_second_head_has_a_second_output() -> None:
    assert (outputs(False), outputs(True)) == ([OUTPUT], [OUTPUT, OPACITY])


def test_sessions_do_not_spin_and_stay_within_their_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cxr.model.sessions.usable_cores", lambda: 3)
    options = session_options()
    assert options.intra_op_num_threads == 3
    assert options.inter_op_num_threads == 1
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert session_options(2).intra_op_num_threads == 2


class Fake:
    """A CUDA device."""

    provider, max_batch = "CUDAExecutionProvider", 8


def test_float16_on_a_gpu(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[Any] = []

    def load(*given: Any) -> Fake:
        loaded.append(given)
        return Fake()

    monkeypatch.setattr(cuda_driver, "devices", lambda: 1)
    monkeypatch.setattr(cuda, "load", load)
    ensemble = Ensemble(bundle, max_batch=8)
    assert (ensemble.provider, ensemble.precision, ensemble.max_batch) == ("CUDAExecutionProvider", "float16", 8)
    graphs = [Graph(member.frame, bundle.read_onnx(member, "float16")) for member in bundle.manifest.members]
    assert loaded == [(graphs, bundle.manifest.recipe.size, [1, 2, 4, 8], "float16")]


@pytest.mark.parametrize("devices", [0, 1])
def test_float32_on_a_processor_also_where_cuda_cannot_be_used(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, devices: int
) -> None:
    monkeypatch.setattr(cuda_driver, "devices", lambda: devices)
    monkeypatch.setattr(cuda, "load", lambda *_: None)
    monkeypatch.setattr(openvino, "usable", lambda: False)
    ensemble = Ensemble(bundle)
    assert (ensemble.provider, ensemble.precision, ensemble.max_batch) == ("CPUExecutionProvider", "float32", 1)
