"""The gate's network: shapes, brightness that does not matter, weights that must be its own."""

from pathlib import Path

import pytest
import torch

from cxr.errors import BundleError
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle
from cxr.model.bundle_files import sha256
from networks.gate import SIZE, GateNetwork, load_gate


def test_one_logit_an_image_whatever_its_brightness_and_contrast() -> None:
    network = GateNetwork().eval()
    image = torch.randint(60, 120, (3, 1, SIZE, SIZE), dtype=torch.uint8)
    logits = network(image)
    assert logits.shape == (3,)
    assert torch.allclose(network(image.float() * 1.5 + 20), logits, atol=1e-4)
    assert torch.isfinite(network(torch.zeros(1, 1, SIZE, SIZE, dtype=torch.uint8))).all()


def test_the_shipped_gate_is_small_and_verified(tmp_path: Path) -> None:
    bundle = Bundle(DEFAULT_BUNDLE)
    gate = bundle.manifest.gate
    assert gate is not None
    load_gate(bundle, gate)
    assert len(bundle.read_weights(gate)) < 500_000
    (tmp_path / "weights").mkdir()
    (tmp_path / "bundle.json").write_text((DEFAULT_BUNDLE / "bundle.json").read_text())
    (tmp_path / "weights" / gate.weights).write_bytes(b"no weights")
    with pytest.raises(BundleError, match="SHA-256 differs"):
        load_gate(Bundle(tmp_path), gate)
    with pytest.raises(BundleError, match="is not a gate's"):
        load_gate(Bundle(tmp_path), gate.model_copy(update={"sha256": sha256(b"no weights")}))
