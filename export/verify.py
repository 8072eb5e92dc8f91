"""Compare exported graphs with their PyTorch networks on images, and refuse differences above tolerance."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from cxr.arrays import Floats32, Images, Logits, Views
from cxr.cpu_count import usable_cores
from cxr.errors import ParityError
from cxr.model import openvino
from cxr.model.bundle import Bundle, Member, Precision
from cxr.model.golden import LOGIT_TOLERANCE
from cxr.model.posterior import softmax
from cxr.model.sessions import INPUT, outputs, session_options
from networks.architectures import Network, load_member
from networks.opacity_head import BothHeads

BATCH: Final = 32  # VGG-19 at 224 pixels has 13 MB of activations per image at its widest layer

# No mean over cells follows the opacity head, so bfloat16's rounding has a larger effect: 0.053 on 1,149 validation
# images. A change of 0.1 in a logit changes a cell's probability by at most 0.025.
OPACITY_TOLERANCE: Final = LOGIT_TOLERANCE | {"bfloat16": 1e-1}


@dataclass(frozen=True, slots=True)
class Flip:
    """An image whose label differs between PyTorch and ONNX.

    `margin` is the difference of PyTorch's two largest probabilities.
    """

    name: str
    margin: float


@dataclass(frozen=True, slots=True)
class Parity:
    """The largest errors of one graph relative to its network: in logits and in calibrated probabilities.

    `max_opacity` is the largest error of the second head's logits; None for a network without that head.
    """

    member: str
    precision: Precision
    images: int
    max_logit: float
    max_probability: float
    flips: tuple[Flip, ...]
    max_opacity: float | None = None

    @property
    def holds(self) -> bool:
        """Whether both heads are within tolerance, and labels flip only where two probabilities are nearly equal.

        The comparisons are written so that a NaN, which float16 gives on overflow, fails.
        """
        explained = all(flip.margin <= 2 * self.max_probability for flip in self.flips)
        opacity_holds = self.max_opacity is None or self.max_opacity <= OPACITY_TOLERANCE[self.precision]
        return self.max_logit <= LOGIT_TOLERANCE[self.precision] and opacity_holds and explained


def verify(bundle: Bundle, views: Views, names: Sequence[str]) -> list[Parity]:
    """Compare every member's graphs, run by onnxruntime on the CPU, with its network in PyTorch float32.

    bfloat16 is compared only on machines that can compute it: see `cxr.model.openvino.usable`.

    Args:
        bundle: exported.
        views: [N, S, S] uint8 in each of the bundle's frames, prepared with its recipe; may be memory-mapped, N at
            least 1.
        names: of the N images, for the list of flips.

    Returns:
        One `Parity` for each member and precision, in the manifest's order.

    Raises:
        BundleError: a file is missing or altered.
        ParityError: a graph is above tolerance; the message has the figures of all such graphs.
    """
    found = [parity for member in bundle.manifest.members for parity in _member(bundle, member, views, names)]
    wrong = "; ".join(_describe(parity) for parity in found if not parity.holds)
    if wrong:
        raise ParityError(f"{bundle.root}: {wrong}")
    return found


def compare(
    member: str,
    precision: Precision,
    expected: Logits,
    actual: Logits,
    temperature: float,
    names: Sequence[str],
) -> Parity:
    """Compare PyTorch's logits [N, 3] with a graph's logits [N, 3]."""
    before, after = softmax(expected, temperature), softmax(actual, temperature)
    top = np.sort(before, axis=1)
    margins = top[:, -1] - top[:, -2]
    flipped = before.argmax(axis=1) != after.argmax(axis=1)
    return Parity(
        member=member,
        precision=precision,
        images=len(names),
        max_logit=float(np.abs(actual - expected).max()),
        max_probability=float(np.abs(after - before).max()),
        flips=tuple(Flip(names[i], float(margins[i])) for i in range(len(names)) if flipped[i]),
    )


def _member(bundle: Bundle, member: Member, views: Views, names: Sequence[str]) -> Iterator[Parity]:
    images, temperature = views[member.frame], bundle.manifest.temperature
    expected, *expected_opacity = _of_torch(load_member(bundle, member), images)
    for precision in _precisions():
        run = _of_openvino if precision == "bfloat16" else _of_onnx
        actual, *actual_opacity = run(bundle.read_onnx(member, precision), images, outputs(member.opacity_head))
        found = compare(member.name, precision, expected, actual, temperature, names)
        for before, after in zip(expected_opacity, actual_opacity, strict=True):
            found = replace(found, max_opacity=float(np.abs(after - before).max()))
        yield found


def _precisions() -> list[Precision]:
    """The precisions that this machine can compute in."""
    always: list[Precision] = ["float32", "float16"]
    return [*always, "bfloat16"] if openvino.usable() else always


def _of_torch(network: Network, images: Images) -> list[Floats32]:
    """A network's outputs, in the order of its graph's outputs."""
    both = network if network.opacities is None else BothHeads(network)
    with torch.inference_mode():
        answers = [both(torch.from_numpy(batch)) for batch in _batches(images, BATCH)]
    parts = [(answer,) if isinstance(answer, Tensor) else answer for answer in answers]
    return [torch.cat(of_one).numpy() for of_one in zip(*parts, strict=True)]


def _of_onnx(graph: bytes, images: Images, names: list[str]) -> list[Floats32]:
    session = onnxruntime.InferenceSession(graph, session_options(), providers=["CPUExecutionProvider"])
    return _run(session, images, names, BATCH)


def _of_openvino(graph: bytes, images: Images, names: list[str]) -> list[Floats32]:
    return _run(openvino.session(graph, usable_cores(), streams=1), images, names, batch=1)


def _run(session: onnxruntime.InferenceSession, images: Images, names: list[str], batch: int) -> list[Floats32]:
    parts = [session.run(names, {INPUT: part}) for part in _batches(images, batch)]
    return [np.concatenate(of_one) for of_one in zip(*parts, strict=True)]


def _batches(images: Images, batch: int) -> Iterator[Images]:
    """[N, S, S] → batches [≤ batch, 1, S, S], copied so that a read-only memory map can be used."""
    for start in range(0, len(images), batch):
        yield np.array(images[start : start + batch, np.newaxis])


def _describe(parity: Parity) -> str:
    limit, opacity_limit = LOGIT_TOLERANCE[parity.precision], OPACITY_TOLERANCE[parity.precision]
    opacity = (
        ""
        if parity.max_opacity is None
        else f", by {parity.max_opacity:.2g} on the opacity head's logits (limit {opacity_limit:g})"
    )
    return (
        f"{parity.member} in {parity.precision} differs from PyTorch by {parity.max_logit:.2g} on the logits "
        f"(limit {limit:g}){opacity} and flips {len(parity.flips)} of {parity.images} labels"
    )
