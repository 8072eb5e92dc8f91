"""The parity check: it measures, lists flips, and refuses a graph of another network."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from cxr.arrays import Views
from cxr.errors import ParityError
from cxr.labels import LABELS
from cxr.model import openvino
from cxr.model.bundle import Bundle, OnnxFile, OnnxManifest, onnx_name
from cxr.model.bundle_files import sha256
from cxr.model.frames import FULL, LUNGS
from export import verify as module
from export.verify import Parity, compare, verify
from networks.architectures import Network
from tests.bundles import framed, variant

NAMES = [f"image-{i}" for i in range(10)]


@pytest.fixture(scope="module")
def images() -> Views:
    upright = np.random.default_rng(0).integers(0, 256, (10, 64, 64), dtype=np.uint8)
    return {FULL: upright, LUNGS: 255 - upright}


def test_a_fresh_export_holds_for_each_member_and_precision(
    bundle: Bundle, images: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.verify.BATCH", 4)  # so that the last batch is smaller
    found = verify(bundle, images, NAMES)
    computed = ("float32", "float16", *(("bfloat16",) if openvino.usable() else ()))
    names = ("resnet18-0", "vgg16-bn-1")
    assert [(p.member, p.precision, p.images) for p in found] == [(n, p, 10) for n in names for p in computed]
    with_head, without = found[: len(computed)], found[len(computed) :]
    for single, *rounded in (with_head, without):
        assert single.max_logit < 1e-5
        assert all(single.max_logit < parity.max_logit < 2e-2 for parity in rounded)
    assert all(parity.max_opacity is None for parity in without)
    assert 0 < (with_head[0].max_opacity or 0) < 1e-5
    assert all(1e-5 < (parity.max_opacity or 0) < 5e-2 for parity in with_head[1:])


def test_each_graph_is_compared_on_its_own_frame(
    bundle: Bundle, images: Views, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[NDArray[np.uint8]] = []
    real = module._of_torch

    def watched(network: Network, of_frame: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        seen.append(of_frame)
        return real(network, of_frame)

    monkeypatch.setattr(module, "_of_torch", watched)
    verify(framed(bundle, tmp_path / "bundle", LUNGS, FULL), images, NAMES)
    assert [of_frame is images[frame] for of_frame, frame in zip(seen, (LUNGS, FULL), strict=True)] == [True, True]


def test_a_second_head_that_says_something_else_is_refused(bundle: Bundle, images: Views, tmp_path: Path) -> None:
    """The graph's logits are right, and the opacity head's bias is not."""
    other = with_other_weights(bundle, tmp_path / "bundle", lambda tensor: tensor.name.endswith("opacities.bias"))
    with pytest.raises(ParityError, match=r"by 0\.1 on the opacity head"):
        verify(other, images, NAMES)


def test_the_graph_of_other_weights_is_refused(bundle: Bundle, images: Views, tmp_path: Path) -> None:
    other = with_other_weights(bundle, tmp_path / "bundle", lambda tensor: list(tensor.dims) == [len(LABELS)])
    with pytest.raises(
        ParityError, match=r"resnet18-0 in float32 differs from PyTorch by 0\.1 on the logits"
    ) as caught:
        verify(other, images, NAMES)
    assert " float16" not in str(caught.value)


def with_other_weights(bundle: Bundle, root: Path, of: Callable[[TensorProto], bool]) -> Bundle:
    """A bundle whose first member's float32 graph has 0.1 added to the tensor that `of` is true of."""
    member, other = bundle.manifest.members[0], variant(bundle, root)
    model = onnx.load_from_string(bundle.read_onnx(member, "float32"))
    (tensor,) = filter(of, model.graph.initializer)
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) + np.float32(0.1), tensor.name))
    name, data = onnx_name(member, "float32"), model.SerializeToString()
    files = other.onnx.files | {name: OnnxFile(sha256=sha256(data), weights_sha256=member.sha256)}
    for file, content in ((name, data), ("manifest.json", OnnxManifest(files=files).model_dump_json().encode())):
        (other.root / "onnx" / file).unlink()
        (other.root / "onnx" / file).write_bytes(content)
    return Bundle(other.root)


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
        ({"max_opacity": 1e-4}, True),
        ({"max_opacity": 1.1e-3}, False),
        ({"max_opacity": float("nan")}, False),
    ],
)
def test_what_holds(change: dict[str, float], holds: bool) -> None:
    flipped = compare("m", "float32", np.array([[0.1, 0, 0]]), np.array([[0, 0.1, 0]]), 1.0, ["a"]).flips
    parity = Parity("m", "float32", 1, 1e-4, 0.1, flipped)
    assert dataclasses.replace(parity, **change).holds is holds  # type: ignore[arg-type]


@pytest.mark.parametrize(("opacity", "holds"), [(0.06, True), (0.11, False)])
def test_the_opacity_head_has_a_limit_of_its_own_in_bfloat16(opacity: float, holds: bool) -> None:
    assert Parity("m", "bfloat16", 1, 0.04, 0.01, (), max_opacity=opacity).holds is holds
    assert not Parity("m", "bfloat16", 1, 0.06, 0.01, (), max_opacity=opacity).holds
