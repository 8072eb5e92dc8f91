"""bfloat16 on AMX if machine and package support it, and the behaviour if one of them does not."""

import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from cxr.arrays import Views
from cxr.errors import PrecisionUnavailable
from cxr.model import cuda_driver, openvino
from cxr.model.architecture import Architecture
from cxr.model.bundle import Bundle
from cxr.model.frames import FULL
from cxr.model.inference import Ensemble
from cxr.model.views import parts_of
from service.settings import Settings
from tests.bundles import make_bundle

on_amx = pytest.mark.skipif(not openvino.usable(), reason="no AMX, or no onnxruntime-ep-openvino")
ON_PROCESSOR = ("CPUExecutionProvider", "float32")


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_driver, "devices", lambda: 0)


@pytest.fixture(scope="module")
def images() -> Views:
    return {FULL: np.random.default_rng(0).integers(0, 256, (5, 64, 64), dtype=np.uint8)}


@pytest.fixture
def without_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, openvino.PACKAGE, None)  # None makes Python raise ImportError for this module


@pytest.mark.usefixtures("without_package")
def test_auto_is_float32_without_the_package(bundle: Bundle) -> None:
    ensemble = Ensemble(bundle)
    assert (ensemble.provider, ensemble.precision) == ON_PROCESSOR


@pytest.mark.parametrize("flags", ["flags\t\t: fpu avx512_bf16 amx_int8 amx_tile\n", "", None])
def test_auto_is_float32_without_tiles_for_bfloat16(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str | None
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    if flags is not None:
        cpuinfo.write_text(f"processor\t: 0\n{flags}")
    monkeypatch.setattr(openvino, "CPUINFO", cpuinfo)
    ensemble = Ensemble(bundle)
    assert (ensemble.provider, ensemble.precision) == ON_PROCESSOR


@pytest.mark.usefixtures("without_package")
def test_bfloat16_is_refused_if_it_is_unavailable(bundle: Bundle) -> None:
    with pytest.raises(PrecisionUnavailable, match="needs a processor with AMX"):
        Ensemble(bundle, precision="bfloat16")
    with pytest.raises(ValidationError, match="needs a processor with AMX"):
        Settings(precision="bfloat16")


@on_amx
def test_a_plug_in_that_does_not_load_is_logged_and_not_used(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(openvino, "_devices", openvino._devices.__wrapped__)  # not cached
    monkeypatch.setattr(f"{openvino.PACKAGE}.get_library_path", lambda: "no-library.so")
    with caplog.at_level(logging.WARNING, "cxr.model"):
        ensemble = Ensemble(bundle)
    assert (ensemble.provider, ensemble.precision) == ON_PROCESSOR
    assert "does not load it" in caplog.text


@on_amx
def test_auto_is_bfloat16_and_agrees_with_float32(bundle: Bundle, images: Views) -> None:
    ensemble = Ensemble(bundle)
    assert (ensemble.provider, ensemble.precision, ensemble.max_batch) == (openvino.OPENVINO, "bfloat16", 1)
    expected = Ensemble(bundle, precision="float32").logits(images)
    for alone in (True, False):
        logits = ensemble.logits(images, alone=alone)
        assert logits.shape == expected.shape
        assert logits.dtype == np.float32
        assert 0 < np.abs(logits - expected).max() < 2e-2


@on_amx
def test_more_threads_than_streams_get_the_same_answers(bundle: Bundle, images: Views) -> None:
    ensemble, single = Ensemble(bundle, threads=1), list(parts_of(images, 1))
    alone = [ensemble.logits(image) for image in single]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda i: ensemble.logits(single[i % 5], alone=False), range(40)))
    for index, logits in enumerate(together):
        np.testing.assert_array_equal(logits, alone[index % 5])


@pytest.mark.parametrize(
    ("threads", "at_once", "loaded"), [(1, 1, [(1, 1)]), (1, 4, [(4, 4)]), (2, 4, [(4, 4), (2, 1)])]
)
def test_there_are_as_many_streams_as_inferences_at_once(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, threads: int, at_once: int, loaded: list[tuple[int, int]]
) -> None:
    """Sixty-four scoring processes with sixty-four streams each would not fit into memory."""
    sessions: list[tuple[int, int]] = []
    monkeypatch.setattr(openvino, "usable", lambda: True)
    monkeypatch.setattr(openvino, "_devices", lambda: ["CPU"])
    monkeypatch.setattr(openvino, "session", lambda _graph, *sizes, **named: sessions.append((*sizes, *named.values())))
    assert Ensemble(bundle, threads=threads, at_once=at_once).precision == "bfloat16"
    assert sessions == [sizes for sizes in loaded for _ in bundle.manifest.members]


@on_amx
@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["densenet161", "vgg19_bn"])
def test_the_other_families_run_too(tmp_path: Path, architecture: Architecture, images: Views) -> None:
    bundle = make_bundle(tmp_path / "bundle", (architecture,))
    exact, rounded = (ensemble.logits(images) for ensemble in (Ensemble(bundle, precision="float32"), Ensemble(bundle)))
    assert 0 < np.abs(rounded - exact).max() < 2e-2
