"""A bundle's golden answers: the outputs of its PyTorch networks for one picture, stored at export.

They are in onnx/manifest.json, with the graphs. So before a service serves a bundle, it can check that the graphs, with
this machine's libraries and in this precision, give the outputs of the trained networks. The picture is synthetic: made
by integer arithmetic and pre-processed by the bundle's recipe, it is bit-equal on every machine. Each network gets the
whole picture, because a lung frame may differ by a pixel between processors (`cxr.anatomy.lungs`).
"""

from typing import Final

import numpy as np

from cxr.arrays import Grey, Logits, Views
from cxr.errors import GoldenDiffers
from cxr.model.bundle import Bundle, Precision, Recipe
from cxr.model.inference import Ensemble
from cxr.model.preprocess import SHORT_SIDE, preprocess

# Measured differences. float32: 3e-7 to 3e-5, because the graph folds BatchNorm. float16: 4e-3 on a CPU, which computes
# in float32 with rounded weights, and 3e-2 on a GPU, which computes in float16 throughout. Both are for a network with
# logits of up to 60; a calibrated network's differences are a tenth of that. The accuracy of int8 is measured by
# macro-F1 (`export.int8`); this check only detects a graph made from other weights.
LOGIT_TOLERANCE: Final[dict[Precision, float]] = {"float32": 1e-3, "float16": 5e-2, "bfloat16": 5e-2, "int8": 1.0}


def golden_image(recipe: Recipe) -> Grey:
    """[S, S] uint8, prepared as a network's input: rings of growing frequency, with every grey level."""
    axis = np.arange(SHORT_SIDE) - SHORT_SIDE // 2
    rings = (np.add.outer(axis**2, axis**2) // SHORT_SIDE % 256).astype(np.uint8)
    return preprocess(rings, recipe.id, recipe.size)


def check_golden(bundle: Bundle, ensemble: Ensemble) -> None:
    """Compare a loaded bundle's logits with its golden answers.

    Raises:
        GoldenDiffers: a member differs from its golden logits by more than `LOGIT_TOLERANCE`, or has none.
    """
    manifest = bundle.manifest
    image = golden_image(manifest.recipe)[np.newaxis]
    views: Views = dict.fromkeys(manifest.frames, image)
    for member, found in zip(manifest.members, ensemble.logits(views), strict=True):
        golden = bundle.onnx.golden.get(member.name)
        if golden is None:
            raise GoldenDiffers(f"{bundle.root} has no golden answer for {member.name}: run `cxr export`")
        difference = _difference(found, np.array([golden], np.float32))
        if not difference <= LOGIT_TOLERANCE[ensemble.precision]:  # in this form a NaN counts as a difference
            raise GoldenDiffers(
                f"{member.name} of {bundle.root} differs from its golden logits by {difference:.2g} in "
                f"{ensemble.precision} (limit {LOGIT_TOLERANCE[ensemble.precision]:g})"
            )


def _difference(found: Logits, golden: Logits) -> float:
    return float(np.abs(found - golden).max())
