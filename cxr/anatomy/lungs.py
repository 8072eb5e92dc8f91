"""Outline the lungs of a radiograph, or give the reason why they cannot be outlined.

The segmenter was trained on masks that another segmenter made for one source (`training.lungs.segmenter`).
`cxr.anatomy.plausibility` decides whether its mask is accepted.
"""

from typing import Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from cxr.anatomy.plausibility import Lungs, NoLungs, judge, union
from cxr.model.bundle import Bundle, Segmenter
from cxr.model.preprocess import preprocess
from cxr.model.sessions import INPUT, session_options

__all__ = ["LUNG_LOGITS", "LungSegmenter", "Lungs", "NoLungs", "union"]

LUNG_LOGITS: Final = "lung_logits"

THREADS: Final = 1  # splitting a sum over threads changes its last bits, and one thread is as fast as two


class LungSegmenter:
    """A bundle's lung segmenter in onnxruntime. Safe to call from several threads.

    It always runs on the CPU in float32 with `THREADS` threads, even where there is a GPU: the mask is part of the
    pre-processing and must be the same to the bit in training, evaluation, command line and service.
    """

    def __init__(self, bundle: Bundle, segmenter: Segmenter) -> None:
        """Raises BundleError unless the graph is the one that the bundle describes."""
        self._recipe = segmenter.recipe
        self._session = onnxruntime.InferenceSession(
            bundle.read_lungs_onnx(segmenter), session_options(THREADS), providers=["CPUExecutionProvider"]
        )

    def find(self, pixels: NDArray[np.uint8]) -> Lungs | NoLungs:
        """Outline the lungs of a radiograph [H, W] uint8."""
        image = preprocess(pixels, self._recipe.id, self._recipe.size)
        (logits,) = self._session.run([LUNG_LOGITS], {INPUT: image[np.newaxis, np.newaxis]})
        return judge(logits[0] > 0)
