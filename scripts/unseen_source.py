"""Measure a bundle on a source outside its training data: one label against another, within that source.

    python -m scripts.unseen_source siim normal covid19

It uses training and validation images, and no test images. The AUC is that of p(positive) / (p(positive) +
p(negative)), with a 95 % interval by resampling patients. The model card says whether the bundle was trained on the
source.
"""

from pathlib import Path

import numpy as np
import typer

from cxr.arrays import Floats
from cxr.labels import LABELS
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle
from cxr.model.inference import Ensemble
from cxr.model.posterior import combine
from evaluation.bootstrap import Resampling
from evaluation.bundle_images import BundleImages, bundle_images
from evaluation.metrics import auroc
from evaluation.predictions import logits_of
from training.data import DEFAULT_DATA


def main(source: str, negative: str, positive: str, bundle: Path = DEFAULT_BUNDLE, data: Path = DEFAULT_DATA) -> None:
    """Print the AUC within a source, and the predictions for the images of each label."""
    served = Bundle(bundle)
    ensemble = Ensemble(served, precision="float32")
    posteriors, labels, patients = list[Floats](), list[str](), list[str]()
    for split in ("train", "val"):
        images = of_labels(bundle_images(served, data, split), source, (negative, positive))
        posteriors.append(combine(logits_of(ensemble, images), served.manifest.temperature, served.manifest.ensemble))
        labels.extend(row.label for row in images.rows)
        patients.extend(row.patient for row in images.rows)
    posterior, is_positive = np.concatenate(posteriors), np.array(labels) == positive

    def auc(weights: Floats) -> dict[str, Floats]:
        return {"auc": auroc(between(posterior, negative, positive), is_positive, weights)}

    found = Resampling(patients).measure(auc)["auc"]
    typer.echo(f"{source}: {positive} against {negative}, AUC {found} on {len(labels)} images")
    called = posterior.argmax(axis=1)
    for label in (negative, positive):
        shares = (f"{name} {np.mean(called[np.array(labels) == label] == LABELS.index(name)):.3f}" for name in LABELS)
        typer.echo(f"{label} predicted as {', '.join(shares)}")


def of_labels(images: BundleImages, source: str, labels: tuple[str, ...]) -> BundleImages:
    """The images of a source with one of these labels."""
    return images.where(row.source == source and row.label in labels for row in images.rows)


def between(posterior: Floats, negative: str, positive: str) -> Floats:
    """[N, 3] → [N]: the probability of one of the two labels, given that one of them is true."""
    low, high = (posterior[:, LABELS.index(label)] for label in (negative, positive))
    return high / np.maximum(low + high, np.finfo(float).tiny)


if __name__ == "__main__":
    typer.run(main)
