"""Int8 graphs: nearly the same answers, and they can be removed again."""

from pathlib import Path

import numpy as np
import pytest

from cxr.arrays import Views
from cxr.errors import BundleError
from cxr.model.bundle import Bundle, onnx_name
from cxr.model.frames import FULL
from cxr.model.inference import Ensemble
from export.int8 import Loss, discard, quantise_bundle
from service.verify import verify
from tests.bundles import first_member_only


@pytest.fixture(scope="module")
def images() -> Views:
    ramps = np.random.default_rng(0).integers(0, 200, (16, 1, 64)) + np.arange(64)[:, None] // 2
    return {FULL: ramps.astype(np.uint8)}


@pytest.fixture(scope="module")
def quantised(bundle: Bundle, images: Views, tmp_path_factory: pytest.TempPathFactory) -> Path:
    one = first_member_only(bundle, tmp_path_factory.mktemp("int8") / "bundle", exported=True)
    quantise_bundle(one, images)
    return one.root


def test_int8_nearly_agrees_with_float32(quantised: Path, images: Views) -> None:
    bundle = Bundle(quantised)
    exact = Ensemble(bundle, precision="float32").logits(images)
    rounded = Ensemble(bundle, precision="int8").logits(images)
    assert rounded.shape == exact.shape
    assert 0 < np.abs(rounded - exact).max() < 0.2 * np.abs(exact).max()
    float32, int8 = (bundle.read_onnx(bundle.manifest.members[0], p) for p in ("float32", "int8"))
    assert len(int8) < len(float32) / 3


def test_the_service_verifies_them_if_it_serves_them(bundle: Bundle, quantised: Path) -> None:
    verify(Bundle(quantised), "int8")
    verify(bundle)
    with pytest.raises(BundleError, match="cxr export"):
        verify(bundle, "int8")


def test_they_are_discarded_and_the_rest_stays(quantised: Path) -> None:
    bundle = Bundle(quantised)
    discard(bundle)
    left = Bundle(quantised)
    verify(left)
    assert not (quantised / "onnx" / onnx_name(left.manifest.members[0], "int8")).exists()
    with pytest.raises(BundleError):
        verify(left, "int8")


@pytest.mark.parametrize(("int8", "kept"), [(0.9, True), (0.8951, True), (0.894, False), (0.95, True)])
def test_the_accepted_loss_of_accuracy(int8: float, kept: bool) -> None:
    assert Loss(float32=0.9, int8=int8).acceptable is kept
