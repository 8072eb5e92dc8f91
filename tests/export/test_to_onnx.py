"""Exported graphs: shapes, bytes, required and forbidden contents."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto
from torch import nn
from torchvision.models.densenet import _DenseBlock

from cxr.errors import BundleError
from cxr.model.bundle import Bundle, Precision
from cxr.model.sessions import INPUT, OPACITY, OUTPUT, session_options
from export import to_onnx
from export.to_onnx import Deployed, export_bundle
from networks.architectures import load_member
from networks.opacity_head import BothHeads
from tests.bundles import first_member_only, variant

PRECISIONS: tuple[Precision, ...] = ("float32", "float16")


def _files(bundle: Bundle) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (bundle.root / "onnx").iterdir()}


def _graph(bundle: Bundle, precision: Precision) -> onnx.ModelProto:
    return onnx.load_from_string(bundle.read_onnx(bundle.manifest.members[0], precision))


def test_every_member_has_a_graph_of_each_precision(bundle: Bundle) -> None:
    assert set(_files(bundle)) == {
        "resnet18-0.float32.onnx",
        "resnet18-0.float16.onnx",
        "vgg16-bn-1.float32.onnx",
        "vgg16-bn-1.float16.onnx",
        "gate.onnx",
        "lungs.onnx",
        "manifest.json",
    }


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("batch", [1, 3])
def test_uint8_in_float32_logits_out_for_any_batch(bundle: Bundle, precision: Precision, batch: int) -> None:
    data = bundle.read_onnx(bundle.manifest.members[0], precision)
    session = onnxruntime.InferenceSession(data, session_options(1), providers=["CPUExecutionProvider"])
    (logits,) = session.run([OUTPUT], {INPUT: np.zeros((batch, 1, 64, 64), np.uint8)})
    assert logits.shape == (batch, 3)
    assert logits.dtype == np.float32


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("batch", [1, 3])
def test_a_network_with_the_opacity_head_has_a_map_as_second_output(
    bundle: Bundle, precision: Precision, batch: int
) -> None:
    first, second = bundle.manifest.members
    assert (first.opacity_head, second.opacity_head) == (True, False)
    graphs = {member.name: onnx.load_from_string(bundle.read_onnx(member, precision)) for member in (first, second)}
    outputs = [[output.name for output in graph.graph.output] for graph in graphs.values()]
    assert outputs == [[OUTPUT, OPACITY], [OUTPUT]]
    data = bundle.read_onnx(first, precision)
    session = onnxruntime.InferenceSession(data, session_options(1), providers=["CPUExecutionProvider"])
    images = np.random.default_rng(0).integers(0, 256, (batch, 1, 64, 64), dtype=np.uint8)
    logits, opacity = session.run([OUTPUT, OPACITY], {INPUT: images})
    assert (opacity.shape, opacity.dtype) == ((batch, 1, 2, 2), np.float32)
    (alone,) = session.run([OUTPUT], {INPUT: images})
    assert np.array_equal(alone, logits)
    with torch.no_grad():
        expected = BothHeads(load_member(bundle, first))(torch.from_numpy(images))
    for said, wanted in zip((logits, opacity), expected, strict=True):
        np.testing.assert_allclose(said, wanted, rtol=0, atol=1e-5 if precision == "float32" else 1e-2)


@pytest.mark.parametrize("number", [0, 1])
def test_weights_with_other_heads_than_the_bundle_says_are_refused(bundle: Bundle, tmp_path: Path, number: int) -> None:
    members = [member.model_dump(mode="json") for member in bundle.manifest.members]
    members[number]["opacity_head"] = not members[number]["opacity_head"]
    other = variant(bundle, tmp_path / "bundle", members=members)
    with pytest.raises(BundleError, match="opacity head, unlike its bundle"):
        load_member(other, other.manifest.members[number])


def test_float16_graph_holds_no_float32_weights(bundle: Bundle) -> None:
    types = {tensor.data_type for tensor in _graph(bundle, "float16").graph.initializer}
    assert TensorProto.FLOAT16 in types
    assert TensorProto.FLOAT not in types


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_graph_reveals_nothing_about_its_machine(bundle: Bundle, precision: Precision) -> None:
    data = bundle.read_onnx(bundle.manifest.members[0], precision)
    assert b"stack_trace" not in data
    assert str(Path(to_onnx.__file__).parent).encode() not in data
    assert not _graph(bundle, precision).graph.node[0].metadata_props


def test_exporting_again_gives_the_same_bytes_and_removes_strangers(bundle: Bundle, tmp_path: Path) -> None:
    again = first_member_only(bundle, tmp_path)
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "former-member.float32.onnx").write_bytes(b"stale")
    export_bundle(again)
    graphs = {name: data for name, data in _files(again).items() if name != "manifest.json"}
    assert set(graphs) == {"resnet18-0.float32.onnx", "resnet18-0.float16.onnx"}
    assert graphs.items() <= _files(bundle).items()


def test_altered_weights_are_refused_and_leave_no_manifest(bundle: Bundle, tmp_path: Path) -> None:
    altered = first_member_only(bundle, tmp_path)
    weights = tmp_path / "weights" / altered.manifest.members[0].weights
    data = weights.read_bytes()
    weights.unlink()
    weights.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(BundleError, match="SHA-256"):
        export_bundle(altered)
    assert _files(altered) == {}


def test_a_killed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "manifest.json"
    target.write_bytes(b"old")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", die)
    with pytest.raises(KeyboardInterrupt):
        to_onnx.write(target, b"new")
    assert target.read_bytes() == b"old"


def test_batchnorm_becomes_a_scale_and_a_shift_without_changing_the_logits(bundle: Bundle) -> None:
    network = load_member(bundle, bundle.manifest.members[0]).double()
    for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight, 0.5, 2.0)
        nn.init.normal_(norm.bias)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        nn.init.normal_(norm.running_mean)
        nn.init.uniform_(norm.running_var, 1e-7, 2.0)  # the smallest is not representable in float16
    image = torch.randint(0, 256, (2, 1, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        expected = BothHeads(network)(image)
        for said, wanted in zip(Deployed(network)(image), expected, strict=True):
            torch.testing.assert_close(said, wanted.float(), rtol=1e-6, atol=1e-6)


@pytest.mark.slow
def test_a_dense_block_concatenates_two_tensors_at_a_time() -> None:
    """More than 32 cannot be captured as a CUDA graph."""
    block = _DenseBlock(40, num_input_features=2, bn_size=1, growth_rate=2, drop_rate=0.0)
    model = to_onnx._trace(Grey(block).eval(), 8, [OUTPUT])
    concatenations = [node for node in model.graph.node if node.op_type == "Concat"]
    assert len(concatenations) >= 40
    assert {len(node.input) for node in concatenations} == {2}
    image = torch.randint(0, 256, (2, 1, 8, 8), dtype=torch.uint8)
    with torch.no_grad():
        expected = Grey(block).eval()(image).numpy()
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run([OUTPUT], {INPUT: image.numpy()})[0], expected, rtol=1e-3, atol=1e-4)


class Grey(nn.Module):
    """uint8 in, two channels for the block."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        grey = image.float() / 255
        out: torch.Tensor = self.block(torch.cat([grey, -grey], 1))
        return out
