"""Run the members' ONNX graphs with onnxruntime: prepared images → logits."""

from typing import Final, Literal, Protocol

from cxr.arrays import Logits, Views
from cxr.cpu_count import usable_cores
from cxr.errors import PrecisionUnavailable
from cxr.model import cpu, cuda, cuda_driver, openvino
from cxr.model.bundle import Bundle, Precision
from cxr.model.sessions import Graph

MAX_BATCH: Final = 64

PrecisionChoice = Precision | Literal["auto"]
"""auto: float16 on a CUDA device, bfloat16 on a CPU with AMX tiles, float32 otherwise."""


class Device(Protocol):
    """Where networks run. `max_batch` is the largest useful batch: 1 if batching gains nothing."""

    provider: str
    max_batch: int

    def logits(self, views: Views) -> Logits: ...


class Ensemble:
    """A bundle's members on the available device. Safe to call from several threads."""

    def __init__(
        self,
        bundle: Bundle,
        threads: int | None = None,
        precision: PrecisionChoice = "auto",
        max_batch: int = MAX_BATCH,
        at_once: int | None = None,
    ) -> None:
        """Load every member's graph.

        Args:
            bundle: its graphs must have been exported.
            threads: threads of a single inference on an idle machine; by default the usable cores.
            precision: see `PrecisionChoice`.
            max_batch: the largest batch to prepare for, on a CUDA device.
            at_once: the number of inferences at once to prepare for, on a CPU with AMX; by default the usable cores.

        Raises:
            BundleError: a graph is missing, altered, or made from other weights.
            PrecisionUnavailable: bfloat16 was requested but is not available.
        """
        self.precision, self._alone, self._among = _load(
            bundle, threads or usable_cores(), precision, max_batch, at_once or usable_cores()
        )
        self.provider = self._alone.provider
        self.max_batch = self._alone.max_batch

    def logits(self, views: Views, alone: bool = True) -> Logits:
        """Prepared images [N, S, S] uint8 in each frame → logits [M, N, 3], members in the manifest's order.

        `alone`: no other inference runs. On a CPU this changes the speed, not the answer.
        """
        return (self._alone if alone else self._among).logits(views)


def _load(
    bundle: Bundle, threads: int, choice: PrecisionChoice, max_batch: int, at_once: int
) -> tuple[Precision, Device, Device]:
    """The precision, the device for a single inference, and the device for several at once."""
    if choice in ("auto", "float16", "float32") and cuda_driver.devices():  # the other precisions are for CPUs
        precision: Precision = "float16" if choice == "auto" else choice
        side, sizes = bundle.manifest.recipe.size, cuda.batch_sizes(max_batch)
        device = cuda.load(graphs_of(bundle, precision), side, sizes, precision)
        if device is not None:
            return precision, device, device
    if choice in ("auto", "bfloat16") and openvino.usable():
        pair = openvino.load(graphs_of(bundle, "bfloat16"), threads, at_once)
        if pair is not None:
            return "bfloat16", *pair
    if choice == "bfloat16":
        raise PrecisionUnavailable(openvino.NEEDS)
    precision = "float32" if choice == "auto" else choice
    return precision, *cpu.processors(graphs_of(bundle, precision), threads)


def graphs_of(bundle: Bundle, precision: Precision) -> list[Graph]:
    """The members' graphs. Raises BundleError if one is missing, altered, or made from other weights."""
    return [Graph(member.frame, bundle.read_onnx(member, precision)) for member in bundle.manifest.members]
