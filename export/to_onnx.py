"""Export a bundle's members to ONNX graphs, in float32 for CPUs and float16 for GPUs.

There is one file for each member and precision, with the weights inside. The same weights and library versions give the
same bytes. A member is traced once. Its float16 graph is the float32 one with rounded constants, so that BatchNorm is
folded into the convolutions before rounding.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch
from onnx import ModelProto, TensorProto, helper, numpy_helper
from torch import Tensor, nn

from cxr.anatomy.lungs import LUNG_LOGITS
from cxr.model.bundle import (
    GATE_ONNX,
    LUNGS_ONNX,
    Bundle,
    Member,
    OnnxFile,
    OnnxManifest,
    Precision,
    Recipe,
    onnx_name,
)
from cxr.model.bundle import Network as Stored
from cxr.model.bundle_files import sha256
from cxr.model.gate import GATE_LOGIT
from cxr.model.golden import golden_image
from cxr.model.sessions import BATCH, INPUT, outputs
from networks.architectures import Network, load_member
from networks.gate import load_gate
from networks.opacity_head import BothHeads
from networks.unet import load_segmenter

Track = Callable[[Sequence[Member]], Iterable[Member]]


class Deployed(nn.Module):
    """The network to export: uint8 [N, 1, S, S] → float32 logits [N, 3], with normalisation inside.

    A network with the opacity head has that head's logits [N, 1, h, w] as a second output. The given network is
    modified: its BatchNorm layers become scales and shifts, and its first filters absorb a part of the normalisation.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        _take_exact_images(network)
        self.network = network if network.opacities is None else BothHeads(network)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                _to_affine(module)
        self.eval()

    def forward(self, image: Tensor) -> Tensor | tuple[Tensor, ...]:
        answer: Tensor | tuple[Tensor, Tensor] = self.network(image)
        return answer.float() if isinstance(answer, Tensor) else tuple(each.float() for each in answer)


def export_bundle(bundle: Bundle, track: Track = iter) -> None:
    """Write onnx/<member>.<precision>.onnx for every member and precision, onnx/lungs.onnx and onnx/gate.onnx if the
    bundle has these networks, then onnx/manifest.json.

    Each file is written atomically and the manifest comes last, so that after an interrupted export the bundle is
    either valid or refused. Graphs of members that the bundle no longer has are removed.

    Args:
        bundle: its weights must be present.
        track: wraps the iteration over members, for a progress bar.

    Raises:
        BundleError: a member's weights are missing, altered, or not of its architecture.
    """
    folder = bundle.root / "onnx"
    folder.mkdir(exist_ok=True)
    files: dict[str, OnnxFile] = {}
    golden: dict[str, tuple[float, float, float]] = {}
    for member in track(bundle.manifest.members):
        network = load_member(bundle, member)
        golden[member.name] = _golden(network, bundle.manifest.recipe)
        for precision, model in _graphs(network, bundle.manifest.recipe.size, member.opacity_head).items():
            name = onnx_name(member, precision)
            files[name] = store(folder / name, model, member)
    segmenter = bundle.manifest.lungs
    if segmenter is not None:
        model = _trace(load_segmenter(bundle, segmenter), segmenter.recipe.size, [LUNG_LOGITS])
        files[LUNGS_ONNX] = store(folder / LUNGS_ONNX, model, segmenter)
    gate = bundle.manifest.gate
    if gate is not None:
        model = _trace(load_gate(bundle, gate), gate.recipe.size, [GATE_LOGIT])
        files[GATE_ONNX] = store(folder / GATE_ONNX, model, gate)
    manifest = OnnxManifest(files=files, golden=golden)
    write(folder / "manifest.json", manifest.model_dump_json(indent=2).encode() + b"\n")
    _prune(folder, keep=files)


def store(path: Path, model: ModelProto, source: Stored) -> OnnxFile:
    """Write a graph. Returns its entry for the manifest."""
    data = model.SerializeToString(deterministic=True)
    write(path, data)
    return OnnxFile(sha256=sha256(data), weights_sha256=source.sha256)


def _golden(network: Network, recipe: Recipe) -> tuple[float, float, float]:
    """The output of a network in evaluation mode for the golden picture."""
    with torch.inference_mode():
        logits = network(torch.from_numpy(golden_image(recipe))[None, None])[0]
    first, second, third = logits.tolist()
    return first, second, third


def _graphs(network: Network, size: int, opacity_head: bool) -> dict[Precision, ModelProto]:
    model = _trace(Deployed(network), size, outputs(opacity_head))
    half = ModelProto()
    half.CopyFrom(model)
    _round_to_half(half)
    for graph in (model, half):
        onnx.checker.check_model(graph, full_check=True)
    return {"float32": model, "float16": half}


def _trace(network: nn.Module, size: int, names: list[str]) -> ModelProto:
    batch: Final = 2  # torch.export would treat an example's batch of 1 as a constant
    program = torch.onnx.export(
        network,
        (torch.zeros(batch, 1, size, size, dtype=torch.uint8),),
        input_names=[INPUT],
        output_names=names,
        dynamic_shapes={INPUT: {0: torch.export.Dim(BATCH)}},
        dynamo=True,
        verbose=False,
    )
    if program is None:
        raise RuntimeError("torch.onnx.export with dynamo=True returned no program")
    model: ModelProto = program.model_proto
    _strip(model)
    _chain_concatenations(model)
    return model


def _take_exact_images(network: Network) -> None:
    """Divide images by a power of two, and let the first filters compensate.

    bfloat16 can then represent a normalised image exactly in its eight bits. Rounding the image caused a quarter of
    bfloat16's mean error in the probabilities.
    """
    first = next(module for module in network.trunk.modules() if isinstance(module, nn.Conv2d))
    exact: Final = 64.0
    with torch.no_grad():
        first.weight.mul_(exact / network.grey_levels)
    network.grey_levels = exact


def _to_affine(norm: nn.BatchNorm2d) -> None:
    """Move mean and variance into weight and bias: float16 cannot represent a variance of 1e-7 precisely."""
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("BatchNorm without running statistics cannot be exported")
    with torch.no_grad():
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        norm.bias.sub_(norm.running_mean * scale)
        norm.weight.copy_(scale)
        norm.running_mean.zero_()
        norm.running_var.fill_(1.0 - norm.eps)  # torch 2.11 refuses an eps of 0


def _strip(model: ModelProto) -> None:
    """Remove the exporter's metadata: stack traces contain local paths, and shapes can be inferred."""
    graph = model.graph
    graph.ClearField("value_info")
    for proto in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        proto.ClearField("metadata_props")
        proto.ClearField("doc_string")


def _chain_concatenations(model: ModelProto) -> None:
    """Build each concatenation on the one before it: concat(a, b, c) becomes concat(concat(a, b), c).

    Layer l of a dense block concatenates l earlier tensors, up to 48. While a CUDA graph is captured, onnxruntime's
    CUDA kernel accepts at most 32. With two inputs each the limit is never reached, and the output is the same.
    """
    known: dict[tuple[int, tuple[str, ...]], str] = {}
    for node in model.graph.node:
        if node.op_type != "Concat":
            continue
        axis, names = node.attribute[0].i, tuple(node.input)
        before = known.get((axis, names[:-1]))
        known[axis, names] = node.output[0]
        if before is not None:
            node.input[:] = [before, names[-1]]


def _round_to_half(model: ModelProto) -> None:
    """Turn a float32 graph into a float16 one whose outputs are still float32."""
    graph = model.graph
    half = {output.name: f"{output.name}_half" for output in graph.output}
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            tensor.CopyFrom(_half(tensor))
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.FLOAT16
            elif attribute.HasField("t") and attribute.t.data_type == TensorProto.FLOAT:
                attribute.t.CopyFrom(_half(attribute.t))
        node.output[:] = [half.get(name, name) for name in node.output]
    for name, rounded in half.items():
        graph.node.append(helper.make_node("Cast", [rounded], [name], to=TensorProto.FLOAT))


def _half(tensor: TensorProto) -> TensorProto:
    return numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name)


def write(path: Path, data: bytes) -> None:
    """Write a temporary file beside it, then rename: readers see either the old file or the new one."""
    partial = path.with_name(f"{path.name}.part")
    partial.write_bytes(data)
    partial.replace(path)


def _prune(folder: Path, keep: Iterable[str]) -> None:
    wanted = {*keep, "manifest.json"}
    for path in folder.iterdir():
        if path.is_file() and path.name not in wanted:
            path.unlink()
