"""The gate: decides whether an image is an upright frontal chest radiograph like those that trained the model.

It is a small network (`networks.gate`), trained to tell radiographs from images that a hospital could send by mistake
(`training.gate`). It judges the kind of image, not its quality and not whether the answer will be right.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import onnxruntime

from cxr.arrays import Grey
from cxr.model.bundle import Bundle, Gate
from cxr.model.preprocess import preprocess
from cxr.model.sessions import INPUT, session_options

GATE_LOGIT: Final = "gate_logit"
"""Output of the gate's graph: float32 [N]."""

GatePolicy = Literal["off", "warn", "refuse"]
"""What happens to an unfamiliar image: the gate is not run, the answer has a warning, or the image is refused."""

Verdict = Literal["familiar", "unfamiliar"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """`score`: 0 to 1; higher is more like the training radiographs. `verdict`: the score against the threshold."""

    score: float
    verdict: Verdict


class GateKeeper:
    """A bundle's gate in onnxruntime, on the CPU with one thread. Safe to call from several threads."""

    def __init__(self, bundle: Bundle, gate: Gate) -> None:
        """Raises BundleError unless the graph is the one that the bundle describes."""
        self._recipe, self._threshold = gate.recipe, gate.threshold
        self._session = onnxruntime.InferenceSession(
            bundle.read_gate_onnx(gate), session_options(1), providers=["CPUExecutionProvider"]
        )

    def judge(self, pixels: Grey) -> Judgement:
        """Judge a radiograph [H, W].

        Raises:
            TooSmall: see `cxr.model.preprocess.preprocess`.
        """
        image = preprocess(pixels, self._recipe.id, self._recipe.size)
        (logits,) = self._session.run([GATE_LOGIT], {INPUT: image[np.newaxis, np.newaxis]})
        score = float(1 / (1 + np.exp(-np.float64(logits[0]))))
        return Judgement(score, "familiar" if score >= self._threshold else "unfamiliar")
