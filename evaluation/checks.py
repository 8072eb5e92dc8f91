"""What a model looks at, measured: parts of the image taken away, and the source read off its features.

High figures are bad news here where the lungs are gone or where the source is guessed. Nothing is chosen by them.

A part that is taken away is black in the network's input, after pre-processing: what is left looks as it always does.
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

FEWEST: Final = 2 * FOLDS  # images of a source, for a probe to be asked about it

BORDER: Final = 0.1
"""Width of the border, as a share of the side: 36 % of the image."""


@dataclass(frozen=True, slots=True)
class Check:
    """Figures of one check on some images.

    Of `whole` to `without_lungs` they are `macro_f1`, `accuracy` and each `<label>_recall`; of `probe`, whose `of` is a
    label or "all", `accuracy` in naming the source, and `commonest`, what naming the commonest one gives.
    """

    name: CheckName
    of: str
    images: int
    figures: dict[str, Figure]


def checks(bundle: Bundle, folder: Path, data: BundleImages, posterior: Floats) -> tuple[Check, ...]:
    """All checks of a bundle on images of a data set.

    Args:
        bundle: exported.
        folder: of the table whose rows `data` has.
        data: as the bundle's networks see them.
        posterior: [N, K] what the bundle says of the whole images.
    """
    return (
        _check("whole", data, posterior),
        _ablated("without_border", bundle, data.changed(without_border)),
        _ablated("border_only", bundle, data.changed(border_only)),
        *_lungs(bundle, folder, data, posterior),
        *_probes(bundle, data),
    )


def _lungs(bundle: Bundle, folder: Path, data: BundleImages, posterior: Floats) -> Iterator[Check]:
    """On the images whose lungs the bundle's segmenter finds; nothing where it has none or finds none."""
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
    """What the bundle says of images that are not as they were."""
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
    """Of the explaining member's features: on all images, and on those of each label, which cannot give it away."""
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
    """[N, S, S] with the border black: no labels, collimator edges, tubes at the rim."""
    kept = np.array(images)
    kept[:, _is_border(images.shape[1])] = 0
    return kept


def border_only(images: Images) -> Images:
    """[N, S, S] with all but the border black: hardly a lung is left."""
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
