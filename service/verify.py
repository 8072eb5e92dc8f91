"""Every byte of a bundle against its manifest: before the server starts, and before a bento is built."""

from typing import Final

from cxr.model.bundle import Bundle, Precision
from cxr.model.inference import PrecisionChoice

PRECISIONS: Final[tuple[Precision, ...]] = ("float32", "float16")


def verify(bundle: Bundle, served: PrecisionChoice = "auto") -> None:
    """Raises BundleError unless weights and graphs of every member and of the lungs are those described.

    `served` is the precision that an operator chose: eight bits are not in every bundle.
    """
    for member in bundle.manifest.members:
        bundle.read_weights(member)
        for precision in PRECISIONS if served == "auto" else {*PRECISIONS, served}:
            bundle.read_onnx(member, precision)
    segmenter = bundle.manifest.lungs
    if segmenter is not None:
        bundle.read_weights(segmenter)
        bundle.read_lungs_onnx(segmenter)
