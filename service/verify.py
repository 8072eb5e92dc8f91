"""Verify every byte of a bundle against its manifest, before the server starts and before a bento is built."""

from typing import Final

from cxr.model.bundle import Bundle, Precision
from cxr.model.inference import PrecisionChoice

PRECISIONS: Final[tuple[Precision, ...]] = ("float32", "float16")


def verify(bundle: Bundle, served: PrecisionChoice = "auto") -> None:
    """Raises BundleError unless the weights, graphs and hashes of members, segmenter and gate match the manifest.

    `served`: the precision that the operator chose. Not every bundle has the int8 graphs.
    """
    for member in bundle.manifest.members:
        bundle.read_weights(member)
        for precision in PRECISIONS if served == "auto" else {*PRECISIONS, served}:
            bundle.read_onnx(member, precision)
    segmenter = bundle.manifest.lungs
    if segmenter is not None:
        bundle.read_weights(segmenter)
        bundle.read_lungs_onnx(segmenter)
    gate, hashes = bundle.manifest.gate, bundle.manifest.hashes
    if gate is not None:
        bundle.read_weights(gate)
        bundle.read_gate_onnx(gate)
    if hashes is not None:
        bundle.read_weights(hashes)
