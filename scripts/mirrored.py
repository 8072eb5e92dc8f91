"""Does test-time augmentation pay? A network's mean posterior of a radiograph and its mirror image, on validation.

    python -m scripts.mirrored                 # models/default on the choosing half

Training mirrors every other image, so that the two are equally familiar; it would double the cost of an answer.
"""

import numpy as np
import typer

from cxr.model.bundle import DEFAULT_BUNDLE, Bundle
from cxr.model.inference import Ensemble
from cxr.model.posterior import Floats, combine
from cxr.model.sessions import Images
from evaluation import weighted
from evaluation.bootstrap import with_intervals
from evaluation.bundle_images import bundle_images
from evaluation.metrics import figures
from training.data import DEFAULT_DATA, half_of_validation

SHOWN = ("macro_f1", "covid19_ppv", "covid19_recall", "log_loss")


def posterior(ensemble: Ensemble, bundle: Bundle, images: Images) -> Floats:
    """[N, S, S] uint8 → [N, 3]."""
    parts = [ensemble.logits(np.ascontiguousarray(images[start : start + 16])) for start in range(0, len(images), 16)]
    return combine(np.concatenate(parts, axis=1), bundle.manifest.temperature, bundle.manifest.ensemble)


def main() -> None:
    """Print the figures, and the gain in macro-F1 with its interval."""
    bundle = Bundle(DEFAULT_BUNDLE)
    ensemble = Ensemble(bundle)
    validation = bundle_images(bundle, DEFAULT_DATA, "val")
    half = validation.where(half_of_validation(row) == "select" for row in validation.rows)
    plain, mirror = (posterior(ensemble, bundle, images) for images in (half.images, half.images[:, :, ::-1]))
    both = (plain + mirror) / 2
    for name, said in (("as it is", plain), ("mirrored", mirror), ("mean of both", both)):
        found = figures(said, half.labels)
        print(f"{name}: " + ", ".join(f"{figure} {found[figure]:.3f}" for figure in SHOWN))

    def gain(weights: Floats) -> dict[str, Floats]:
        after, before = (weighted.macro_f1(said, half.labels, weights) for said in (both, plain))
        return {"macro_f1": after - before}

    print("gain in macro-F1:", with_intervals(gain, [row.patient for row in half.rows])["macro_f1"])


if __name__ == "__main__":
    typer.run(main)
