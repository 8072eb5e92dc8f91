"""The lung segmenter's graph computes the same as its U-Net."""

import numpy as np
import onnxruntime
import pytest
import torch

from cxr.anatomy.lungs import LUNG_LOGITS
from cxr.errors import BundleError
from cxr.model.bundle import Bundle, Segmenter
from cxr.model.bundle_files import sha256
from cxr.model.sessions import INPUT
from networks.unet import load_segmenter
from tests.bundles import first_member_only


@pytest.mark.parametrize("count", [1, 3])
def test_graph_and_network_agree(bundle: Bundle, count: int) -> None:
    segmenter = bundle.manifest.lungs
    assert segmenter is not None
    size = segmenter.recipe.size
    images = np.random.default_rng(count).integers(0, 256, (count, 1, size, size), dtype=np.uint8)
    session = onnxruntime.InferenceSession(bundle.read_lungs_onnx(segmenter), providers=["CPUExecutionProvider"])
    (actual,) = session.run([LUNG_LOGITS], {INPUT: images})
    with torch.inference_mode():
        expected = load_segmenter(bundle, segmenter)(torch.from_numpy(images)).numpy()
    assert actual.shape == (count, size, size)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)


def test_weights_of_another_network_are_refused(bundle: Bundle) -> None:
    segmenter = bundle.manifest.lungs
    assert segmenter is not None
    member = bundle.explainer
    wrong = Segmenter(weights=member.weights, sha256=member.sha256, recipe=segmenter.recipe)
    with pytest.raises(BundleError, match="is not a U-Net's"):
        load_segmenter(bundle, wrong)


def test_invalid_weights_are_refused(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> None:
    segmenter = bundle.manifest.lungs
    assert segmenter is not None
    other = first_member_only(bundle, tmp_path_factory.mktemp("other") / "bundle")
    (other.root / "weights" / "lungs.safetensors").write_bytes(b"nothing")
    with pytest.raises(BundleError, match="is not a U-Net's"):
        load_segmenter(other, segmenter.model_copy(update={"sha256": sha256(b"nothing")}))
