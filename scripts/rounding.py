"""What a bundle's rounding to bfloat16 or float16 changes in its answers: the validation split, against float32.

python -m scripts.rounding --data ../shared/data/cxr
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from cxr.arrays import Floats
from cxr.labels import LABELS
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle
from cxr.model.inference import Ensemble, PrecisionChoice
from cxr.model.posterior import combine, prediction_set
from cxr.model.views import parts_of
from evaluation.bundle_images import BundleImages, bundle_images
from evaluation.metrics import calibration_error, once


def posteriors(bundle: Bundle, images: BundleImages, precision: PrecisionChoice) -> tuple[str, Floats, Floats]:
    """The precision that was used, and of each image the members' logits [M, N, 3] and the posterior [N, 3]."""
    ensemble = Ensemble(bundle, precision=precision)
    logits = np.concatenate([ensemble.logits(one) for one in parts_of(images.views, ensemble.max_batch)], axis=1)
    manifest = bundle.manifest
    return ensemble.precision, logits.astype(np.float64), combine(logits, manifest.temperature, manifest.ensemble)


def quality(bundle: Bundle, images: BundleImages, posterior: Floats) -> tuple[float, str]:
    """Expected calibration error, and by label the share of images whose prediction set holds it."""
    thresholds = bundle.manifest.conformal.thresholds
    held = [LABELS[label] in prediction_set(p, thresholds) for p, label in zip(posterior, images.labels, strict=True)]
    shares = [np.mean(np.array(held)[images.labels == label]) for label in range(len(LABELS))]
    error = float(calibration_error(posterior, images.labels, once(images.labels))[0])
    return error, ", ".join(f"{share:.4f}" for share in shares)


def main(
    data: Annotated[Path, typer.Option(help="Folder with metadata.csv.")],
    bundle: Annotated[Path, typer.Option(help="An exported bundle.")] = DEFAULT_BUNDLE,
) -> None:
    """Print a table that compares this machine's precision with float32 on the validation split."""
    opened = Bundle(bundle)
    images = bundle_images(opened, data, "val")
    _, exact_logits, exact = posteriors(opened, images, "float32")
    used, logits, rounded = posteriors(opened, images, "auto")
    (error, coverage), (exact_error, exact_coverage) = (quality(opened, images, p) for p in (rounded, exact))
    moved = np.abs(rounded - exact)
    rows = [
        ("largest abs. Δlogit of a network", f"{np.abs(logits - exact_logits).max():.3f}"),
        ("largest abs. Δp, mean abs. Δp", f"{moved.max():.4f}, {moved.mean():.1e}"),
        ("labels flipped", f"{(rounded.argmax(1) != exact.argmax(1)).sum()} of {len(images.rows)}"),
        ("expected calibration error in float32, rounded", f"{exact_error:.4f}, {error:.4f}"),
        ("coverage of normal, pneumonia, COVID-19 in float32", exact_coverage),
        (f"the same in {used}", coverage),
    ]
    manifest = opened.manifest
    print(f"| {manifest.name} {manifest.version}, {len(images.rows)} images | {used} against float32 |\n| --- | --- |")
    for name, figure in rows:
        print(f"| {name} | {figure} |")


if __name__ == "__main__":
    typer.run(main)
