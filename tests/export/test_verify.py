"""The parity check: it measures, it lists flips, and it refuses a graph that is not its network's."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cxr.errors import ParityError
from cxr.model.bundle import Bundle, OnnxFile, OnnxManifest
from cxr.model.bundle_files import sha256
from export.verify import Parity, compare, verify
from tests.bundles import make_bundle

NAMES = [f"image-{i}" for i in range(10)]


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (10, 64, 64), dtype=np.uint8)


def test_a_fresh_export_holds_for_each_member_and_precision(
    bundle: Bundle, images: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.verify.BATCH", 4)  # the last batch is then a part
    found = verify(bundle, images, NAMES)
    assert [(p.member, p.precision, p.images) for p in found] == [
        ("resnet18-0", "float32", 10),
        ("resnet18-0", "float16", 10),
        ("vgg16-bn-1", "float32", 10),
        ("vgg16-bn-1", "float16", 10),
    ]
    for single, half in (found[:2], found[2:]):
        assert single.max_logit < 1e-5
        assert single.max_logit < half.max_logit < 1e-2


def test_the_graph_of_other_weights_is_refused(bundle: Bundle, images: NDArray[np.uint8], tmp_path: Path) -> None:
    other = make_bundle(tmp_path, seed=7)
    graph = bundle.read_onnx(bundle.manifest.members[0], "float32")
    name, member = "resnet18-7.float32.onnx", other.manifest.members[0]
    (tmp_path / "onnx" / name).write_bytes(graph)
    manifest = OnnxManifest.model_validate_json((tmp_path / "onnx" / "manifest.json").read_bytes())
    entry = OnnxFile(sha256=sha256(graph), weights_sha256=member.sha256)
    files = OnnxManifest(files={**manifest.files, name: entry})
    (tmp_path / "onnx" / "manifest.json").write_text(files.model_dump_json())
    with pytest.raises(ParityError, match="resnet18-7 in float32") as caught:
        verify(Bundle(tmp_path), images, NAMES)
    assert "float16" not in str(caught.value)


def test_a_flip_is_listed_with_its_margin() -> None:
    expected = np.array([[2.0, 1.99, 0.0], [3.0, 0.0, 0.0]], np.float32)
    actual = np.array([[1.99, 2.0, 0.0], [3.0, 0.0, 0.0]], np.float32)
    parity = compare("m", "float16", expected, actual, 1.0, ["a", "b"])
    assert [flip.name for flip in parity.flips] == ["a"]
    p = np.exp(expected[0].astype(float)) / np.exp(expected[0].astype(float)).sum()
    assert parity.flips[0].margin == pytest.approx(p[0] - p[1])
    assert parity.max_logit == pytest.approx(0.01, rel=1e-4)
    assert parity.holds


def test_every_flip_of_finite_logits_is_explained_by_the_largest_difference() -> None:
    rng = np.random.default_rng(1)
    expected = rng.normal(size=(1000, 3)).astype(np.float32)
    actual = expected + rng.normal(scale=0.1, size=expected.shape).astype(np.float32)
    parity = compare("m", "float32", expected, actual, 0.5, [""] * 1000)
    assert len(parity.flips) > 10
    assert all(flip.margin <= 2 * parity.max_probability for flip in parity.flips)


@pytest.mark.parametrize(
    ("change", "holds"),
    [
        ({}, True),
        ({"max_logit": 1.1e-3}, False),
        ({"max_logit": float("nan")}, False),
        ({"max_probability": 0.01}, False),
        ({"max_probability": float("nan")}, False),
    ],
)
def test_what_holds(change: dict[str, float], holds: bool) -> None:
    flipped = compare("m", "float32", np.array([[0.1, 0, 0]]), np.array([[0, 0.1, 0]]), 1.0, ["a"]).flips
    parity = Parity("m", "float32", 1, 1e-4, 0.1, flipped)
    assert dataclasses.replace(parity, **change).holds is holds  # type: ignore[arg-type]
