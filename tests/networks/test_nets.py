"""Networks: which weights a bundle may hold, and which are refused."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from torch import nn

from cxr.errors import BundleError
from cxr.model.bundle import Bundle, Manifest
from cxr.model.bundle_files import sha256
from networks.architectures import build, load_member, load_weights, storable
from tests.bundles import first_member_only


def test_vgg_starts_as_torchvisions_does() -> None:
    torch.manual_seed(0)
    network = build("vgg16_bn")
    convolution, norm = list(network.trunk.children())[34:36]
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    assert convolution.weight.std().item() == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.01)
    assert convolution.bias is None
    assert norm.weight.eq(1).all()
    assert torch.equal(norm.running_var, torch.ones(512))  # type: ignore[arg-type]
    assert all(parameter.isfinite().all() and not parameter.is_meta for parameter in network.parameters())


def test_stored_weights_load_within_float16() -> None:
    torch.manual_seed(0)
    network = build("resnet18").eval()
    image = torch.randint(0, 256, (1, 1, 64, 64), dtype=torch.uint8)
    loaded = load_weights("resnet18", save(storable(network)))
    assert not loaded.training
    assert next(loaded.parameters()).dtype == torch.float32
    with torch.no_grad():
        torch.testing.assert_close(loaded(image), network(image), rtol=0, atol=1e-2)


def _with_first_member(bundle: Bundle, root: Path, **changes: str) -> Bundle:
    """A bundle with only the first member, and with wrong fields."""
    alone = first_member_only(bundle, root)
    member = alone.manifest.members[0].model_copy(update=changes)
    manifest: Manifest = alone.manifest.model_copy(update={"members": (member,)})
    (root / "bundle.json").write_text(manifest.model_dump_json())
    return Bundle(root)


def test_weights_of_another_architecture_are_refused(bundle: Bundle, tmp_path: Path) -> None:
    wrong = _with_first_member(bundle, tmp_path, architecture="resnet34")
    with pytest.raises(BundleError, match="does not fit resnet34"):
        load_member(wrong, wrong.manifest.members[0])


def test_weights_in_another_format_are_refused(bundle: Bundle, tmp_path: Path) -> None:
    junk = b"not safetensors"
    wrong = _with_first_member(bundle, tmp_path, weights="junk.safetensors", sha256=sha256(junk))
    (tmp_path / "weights" / "junk.safetensors").write_bytes(junk)
    with pytest.raises(BundleError, match="does not fit"):
        load_member(wrong, wrong.manifest.members[0])
