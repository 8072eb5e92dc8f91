"""A bundle's golden answers: what its PyTorch networks say of one picture, noted when they were exported.

They come with the graphs, in onnx/manifest.json. So a service can ask, before it serves a bundle: do these graphs, with
this machine's libraries and in this precision, say what the networks said that were trained? The picture is made by
integer arithmetic and put through the bundle's recipe, which is bit-equal on every machine; it is no radiograph. It
goes to each network whole: a lung frame may differ by a pixel from processor to processor (`cxr.anatomy.lungs`).
"""

from typing import Final

import numpy as np

from cxr.arrays import Grey, Logits, Views
from cxr.errors import GoldenDiffers
from cxr.model.bundle import Bundle, Precision, Recipe
from cxr.model.inference import Ensemble
from cxr.model.preprocess import SHORT_SIDE, preprocess

# float32: the graph folds BatchNorm, which measures 3e-7 to 3e-5. float16: 11 bits through 18 layers measure
# 4e-3 here, where a CPU computes in float32 between rounded weights, and 3e-2 in float16 throughout, as on a
# GPU, both on a network with logits of up to 60; a calibrated network's are a tenth of that. int8 is judged by what it
# costs in macro-F1 (`export.int8`): here it shows a graph of other weights, and no more.
LOGIT_TOLERANCE: Final[dict[Precision, float]] = {"float32": 1e-3, "float16": 5e-2, "bfloat16": 5e-2, "int8": 1.0}


def golden_image(recipe: Recipe) -> Grey:
    """[S, S] uint8: rings of growing frequency, which touch every grey level, as a network sees them."""
    axis = np.arange(SHORT_SIDE) - SHORT_SIDE // 2
    rings = (np.add.outer(axis**2, axis**2) // SHORT_SIDE % 256).astype(np.uint8)
    return preprocess(rings, recipe.id, recipe.size)


def check_golden(bundle: Bundle, ensemble: Ensemble) -> None:
    """Compare what a loaded bundle says with its golden answers.

    Raises:
        GoldenDiffers: a member is further from its golden logits than `LOGIT_TOLERANCE`, or has none.
    """
    manifest = bundle.manifest
    image = golden_image(manifest.recipe)[np.newaxis]
    views: Views = dict.fromkeys(manifest.frames, image)
    for member, found in zip(manifest.members, ensemble.logits(views), strict=True):
        golden = bundle.onnx.golden.get(member.name)
        if golden is None:
            raise GoldenDiffers(f"{bundle.root} has no golden answer of {member.name}: run `cxr export`")
        difference = _difference(found, np.array([golden], np.float32))
        if not difference <= LOGIT_TOLERANCE[ensemble.precision]:  # so written that a NaN is a difference
            raise GoldenDiffers(
                f"{member.name} of {bundle.root} differs from its golden logits by {difference:.2g} in "
                f"{ensemble.precision} (limit {LOGIT_TOLERANCE[ensemble.precision]:g})"
            )


def _difference(found: Logits, golden: Logits) -> float:
    return float(np.abs(found - golden).max())
