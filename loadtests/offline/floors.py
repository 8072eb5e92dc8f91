"""Compare the time of each stage of a classification with a lower bound on this machine, its floor.

    python -m loadtests.offline.floors --write

The floor of a network is its operations divided by the rate of large matrix products with the same provider and
precision. The floor of decoding is the bytes of file and pixels divided by the rate of a copy in memory. Both rates are
measured in the same run. No program reaches a floor; it shows how much could still be gained, and where.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Final

import numpy as np
import onnx
import onnxruntime
import typer

from cxr.cpu_count import usable_cores
from cxr.decode import decode
from cxr.model import openvino
from cxr.model.bundle import DEFAULT_BUNDLE, GATE_ONNX, LUNGS_ONNX, Bundle
from cxr.model.cpu import Processor
from cxr.model.inference import Ensemble
from cxr.model.sessions import session_options
from cxr.model.views import batched
from cxr.pipeline import Classifier
from loadtests import tables
from loadtests.samples import Sample, radiographs

SIDE: Final = 3072  # of the matrices
PRODUCTS: Final = 8  # in a row, so that converting the first and the last matrix weighs little
COPIED: Final = 2**28  # bytes
ROUNDS: Final = 7
FILES: Final = 8
OPSET, IR = 17, 8  # what every version of onnxruntime here reads


@dataclass(frozen=True, slots=True)
class Rates:
    """Highest rates of this machine, per second, on all its cores."""

    operations: float
    bytes: float


def fastest(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Seconds of the fastest round: the others were delayed by other load."""
    work()
    return min(_seconds(work) for _ in range(rounds))


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def rates(precision: str) -> Rates:
    """Rates of matrix products (a multiplication and an addition are two operations) and of a copy (bytes read plus
    bytes written).
    """
    session = products(precision)
    matrix = np.ones((SIDE, SIDE), np.float32)
    source = np.ones(COPIED, np.uint8)
    target = np.empty_like(source)
    return Rates(
        operations=PRODUCTS * 2 * SIDE**3 / fastest(lambda: session.run(None, {"0": matrix})),
        bytes=2 * COPIED / fastest(lambda: np.copyto(target, source)),
    )


def products(precision: str) -> onnxruntime.InferenceSession:
    """A session on all cores that multiplies a matrix `PRODUCTS` times by another, by the precision's provider."""
    weights = onnx.numpy_helper.from_array(np.full((SIDE, SIDE), 1 / SIDE, np.float32), "weights")
    nodes = [onnx.helper.make_node("MatMul", [str(i), "weights"], [str(i + 1)]) for i in range(PRODUCTS)]
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (SIDE, SIDE)) for name in ("0", str(PRODUCTS))
    ]
    graph = onnx.helper.make_graph(nodes, "products", ends[:1], ends[1:], [weights])
    opsets = [onnx.helper.make_opsetid("", OPSET)]
    data = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=IR).SerializeToString()
    if precision == "bfloat16":
        return openvino.session(data, usable_cores(), streams=1)
    return onnxruntime.InferenceSession(data, session_options(usable_cores()), providers=[Processor.provider])


def operations(graph: Path) -> float:
    """Operations for one image in a graph's convolutions and linear layers. Other layers are not counted."""
    model = onnx.shape_inference.infer_shapes(onnx.load(graph)).graph
    weights = {one.name: list(one.dims) for one in model.initializer}
    shapes = {one.name: [d.dim_value or 1 for d in one.type.tensor_type.shape.dim] for one in model.value_info}
    shapes |= {one.name: [d.dim_value or 1 for d in one.type.tensor_type.shape.dim] for one in model.output}
    total = 0.0
    for node in model.node:
        if node.op_type in ("Conv", "Gemm") and node.input[1] in weights:
            kernel = weights[node.input[1]]
            places = np.prod(shapes[node.output[0]][2:]) if node.op_type == "Conv" else 1
            total += 2 * float(np.prod(kernel)) * float(places)
    return total


def _row(name: str, floor_s: float, reached_s: float, rest: str) -> tuple[str, ...]:
    floor_ms, reached_ms = floor_s * 1000, reached_s * 1000
    return name, f"{floor_ms:.2f}", f"{reached_ms:.2f}", f"{floor_ms / reached_ms:.2f}", rest


def _decoding(classifier: Classifier, samples: Sequence[Sample], rate: float) -> tuple[float, float]:
    """Seconds: the floor, and the measured time."""
    floors, reached = [], []
    for sample in samples:
        findings = [classifier.classify(sample.data) for _ in range(ROUNDS)]
        reached.append(min(finding.timings_ms["decode"] for finding in findings) / 1000)
        floors.append((len(sample.data) + decode(sample.data).pixels.nbytes) / rate)
    return median(floors), median(reached)


def measure() -> tuple[list[tuple[str, ...]], Ensemble, Rates]:
    """Rows of the table, the networks, and the rates from which their floors are computed."""
    bundle = Bundle(DEFAULT_BUNDLE)
    classifier = Classifier(bundle, gate="warn")
    ensemble = classifier.ensemble
    member, exact = rates(ensemble.precision), rates("float32")
    samples = radiographs(FILES)
    rows = []
    for media, rest in (
        ("image/jpeg", "Huffman codes are read one after the other"),
        ("application/dicom", "parsing, the sandbox's process, and what the standard asks of each pixel"),
    ):
        chosen = [sample for sample in samples if sample.media_type == media]
        rows.append(_row(f"decode, {media}", *_decoding(classifier, chosen, exact.bytes), rest))
    prepared = classifier.prepare(samples[0].data)
    graphs = bundle.root / "onnx"
    small = sum(operations(graphs / name) for name in (LUNGS_ONNX, GATE_ONNX) if (graphs / name).exists())
    preparing = min(classifier.classify(samples[0].data).timings_ms["preprocess"] for _ in range(ROUNDS)) / 1000
    rest = "CLAHE, resizing and outlining are not counted; the small networks have too little work for all cores"
    rows.append(_row("preprocess, with lungs and gate", small / exact.operations, preparing, rest))
    work = sum(operations(path) for path in sorted(graphs.glob("*.float32.onnx")))
    views = batched([prepared.views])
    reached = fastest(lambda: ensemble.logits(views), 30)
    rest = "early layers have few channels, late ones few places; sums, activations and copies are not counted"
    rows.append(_row(f"networks, {ensemble.precision}, one image", work / member.operations, reached, rest))
    return rows, ensemble, member


def main(write: Annotated[bool, typer.Option(help="Put the table into docs/performance.md.")] = False) -> None:
    """Measure rates, floors and stages, and print a table."""
    rows, ensemble, member = measure()
    head = ("stage", "floor, ms", "reached, ms", "floor ÷ reached", "what the difference is")
    text = (
        f"{tables.table(head, rows)}\n\nRates: {member.operations / 1e9:,.0f} G operations/s in {ensemble.precision}, "
        f"{member.bytes / 1e9:.1f} GB/s copied. {tables.machine()}. {tables.command('loadtests.offline.floors')}"
    )
    tables.publish(tables.PERFORMANCE, "floors", text, write)


if __name__ == "__main__":
    typer.run(main)
