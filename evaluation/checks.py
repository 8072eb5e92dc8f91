"""Measure what a model uses: remove parts of the image, and predict the source from its features.

High figures are bad here: they show that the model works without lungs, or that its features reveal the source. These
figures are not used for selection.

A removed part is black in the network's input, after pre-processing, so that the rest of the image does not change.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from cxr.arrays import Floats, Images, Mask
from cxr.labels import LABELS
from cxr.model.bundle import Bundle
from cxr.model.inference import Ensemble
from cxr.model.posterior import combine
from evaluation import metrics
from evaluation.bootstrap import RESAMPLES, Resampling
from evaluation.bundle_images import BundleImages
from evaluation.figure import Figure
from evaluation.maps.lung_masks import segmented
from evaluation.predictions import logits_of
from evaluation.probe import FOLDS, guesses, penultimate
from networks.architectures import load_member

CheckName = Literal["whole", "without_border", "border_only", "with_lungs", "without_lungs", "probe"]

FEWEST: Final = 2 * FOLDS  # smallest number of images of a source for the probe

BORDER: Final = 0.1
"""Width of the border, as a share of the side. The border covers 36 % of the image."""


@dataclass(frozen=True, slots=True)
class Check:
    """Figures of one check on some images.

    For `whole` to `without_lungs` these are `macro_f1`, `accuracy` and each `<label>_recall`. For `probe`, whose `of`
    is a label or "all", they are `accuracy`, the share of correctly predicted sources, and `commonest`, the accuracy of
    always answering the commonest source.
    """

    name: CheckName
    of: str
    images: int
    figures: dict[str, Figure]


def checks(bundle: Bundle, folder: Path, data: BundleImages, posterior: Floats) -> tuple[Check, ...]:
    """All checks of a bundle on images of a data set.

    Args:
        bundle: exported.
        folder: folder of the data set's table, which has the rows of `data`.
        data: the images prepared for the bundle's networks.
        posterior: [N, K] the bundle's probabilities for the whole images.
    """
    return (
        _check("whole", data, posterior),
        _ablated("without_border", bundle, data.changed(without_border)),
        _ablated("border_only", bundle, data.changed(border_only)),
        *_lungs(bundle, folder, data, posterior),
        *_probes(bundle, data),
    )


def _lungs(bundle: Bundle, folder: Path, data: BundleImages, posterior: Floats) -> Iterator[Check]:
    """Checks on the images whose lungs the bundle's segmenter finds; none if it has no segmenter or finds no lungs."""
    if bundle.manifest.lungs is None:
        return
    masks = segmented(bundle, folder, data.rows)
    has_lungs = np.asarray(next(iter(masks.values())).any(axis=(1, 2)))
    if not has_lungs.any():
        return
    kept = data.where(has_lungs.tolist())
    yield _check("with_lungs", kept, posterior[has_lungs])
    black = {frame: without(images, masks[frame][has_lungs]) for frame, images in kept.views.items()}
    yield _ablated("without_lungs", bundle, BundleImages(kept.rows, black))


def _ablated(name: CheckName, bundle: Bundle, data: BundleImages) -> Check:
    """The check of a bundle on changed images."""
    logits = logits_of(Ensemble(bundle, precision="float32"), data)
    return _check(name, data, combine(logits, bundle.manifest.temperature, bundle.manifest.ensemble))


def _check(name: CheckName, data: BundleImages, posterior: Floats) -> Check:
    labels = data.labels

    def figures(weights: Floats) -> dict[str, Floats]:
        recall = metrics.by_label(posterior, labels, weights)["recall"]
        found = {"macro_f1": metrics.macro_f1(posterior, labels, weights)}
        found["accuracy"] = metrics.mean(posterior.argmax(axis=1) == labels, weights)
        return found | {f"{label}_recall": recall[:, index] for index, label in enumerate(LABELS)}

    return Check(name, "all", len(labels), Resampling([row.patient for row in data.rows], RESAMPLES).measure(figures))


def _probes(bundle: Bundle, data: BundleImages) -> Iterator[Check]:
    """Probes of the explaining member's features: on all images, and within each label, where the label cannot help."""
    features = penultimate(load_member(bundle, bundle.explainer), data.views[bundle.explainer.frame])
    for of in ("all", *LABELS):
        chosen = np.array([of in ("all", row.label) for row in data.rows])
        sources = np.array([row.source for row in data.rows])
        names, counts = np.unique(sources[chosen], return_counts=True)
        chosen &= np.isin(sources, names[counts >= FEWEST])
        kept = data.where(chosen)
        if len(set(sources[chosen])) > 1:
            yield Check("probe", of, len(kept.rows), _probe(features[chosen], sources[chosen], kept))


def _probe(features: Floats, sources: NDArray[np.str_], data: BundleImages) -> dict[str, Figure]:
    right = guesses(features, sources, [row.patient for row in data.rows]) == sources
    names, counts = np.unique(sources, return_counts=True)
    commonest = sources == names[counts.argmax()]

    def figures(weights: Floats) -> dict[str, Floats]:
        return {"accuracy": metrics.mean(right, weights), "commonest": metrics.mean(commonest, weights)}

    return Resampling([row.patient for row in data.rows], RESAMPLES).measure(figures)


def without_border(images: Images) -> Images:
    """[N, S, S] with a black border: removes letters, collimator edges, and tubes at the rim."""
    kept = np.array(images)
    kept[:, _is_border(images.shape[1])] = 0
    return kept


def border_only(images: Images) -> Images:
    """[N, S, S] with everything black except the border, where there is hardly any lung."""
    kept = np.array(images)
    kept[:, ~_is_border(images.shape[1])] = 0
    return kept


def without(images: Images, masks: Mask) -> Images:
    """[N, S, S] with masks [N, M, M] black, scaled to the images."""
    side = images.shape[1]
    kept = np.array(images)
    for image, mask in zip(kept, masks, strict=True):
        image[cv2.resize(mask.astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST) > 0] = 0
    return kept


def _is_border(side: int) -> Mask:
    width = round(BORDER * side)
    border = np.ones((side, side), dtype=bool)
    border[width : side - width, width : side - width] = False
    return border
