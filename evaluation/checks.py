"""What a model looks at, measured: parts of the image taken away, and the source read off its features.

High figures are bad news here where the lungs are gone or where the source is guessed. Nothing is chosen by them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from cxr.labels import LABELS
from cxr.model.bundle import Bundle
from cxr.model.inference import Ensemble
from cxr.model.posterior import Floats, combine
from evaluation import ablation, weighted
from evaluation.bootstrap import RESAMPLES, with_intervals
from evaluation.figure import Figure
from evaluation.lung_masks import segmented
from evaluation.predict import logits_of
from evaluation.probe import FOLDS, guesses, penultimate
from networks.architectures import load_member
from training.data import Dataset

Name = Literal["whole", "without_border", "border_only", "with_lungs", "without_lungs", "probe"]

FEWEST: Final = 2 * FOLDS  # images of a source, for a probe to be asked about it


@dataclass(frozen=True, slots=True)
class Check:
    """Figures of one check on some images.

    Of `whole` to `without_lungs` they are `macro_f1`, `accuracy` and each `<label>_recall`; of `probe`, whose `of` is a
    label or "all", `accuracy` in naming the source, and `commonest`, what naming the commonest one gives.
    """

    name: Name
    of: str
    images: int
    figures: dict[str, Figure]


def checks(bundle: Bundle, folder: Path, data: Dataset, posterior: Floats) -> tuple[Check, ...]:
    """All checks of a bundle on images of a data set.

    Args:
        bundle: exported.
        folder: of the table whose rows `data` has.
        data: prepared as the bundle says.
        posterior: [N, K] what the bundle says of the whole images.
    """
    return (
        _check("whole", data, posterior),
        _ablated("without_border", bundle, data, ablation.without_border(data.images)),
        _ablated("border_only", bundle, data, ablation.border_only(data.images)),
        *_lungs(bundle, folder, data, posterior),
        *_probes(bundle, data),
    )


def _lungs(bundle: Bundle, folder: Path, data: Dataset, posterior: Floats) -> Iterator[Check]:
    """On the images whose lungs the bundle's segmenter finds; nothing where it has none or finds none."""
    if bundle.manifest.lungs is None:
        return
    masks = segmented(bundle, folder, data.rows)
    has_lungs = np.asarray(masks.any(axis=(1, 2)))
    if not has_lungs.any():
        return
    kept = data.where(has_lungs.tolist())
    yield _check("with_lungs", kept, posterior[has_lungs])
    yield _ablated("without_lungs", bundle, kept, ablation.without(kept.images, masks[has_lungs]))


def _ablated(name: Name, bundle: Bundle, data: Dataset, images: NDArray[np.uint8]) -> Check:
    """What the bundle says of other images in the place of these."""
    logits = logits_of(Ensemble(bundle), Dataset(data.rows, images))
    return _check(name, data, combine(logits, bundle.manifest.temperature, bundle.manifest.ensemble))


def _check(name: Name, data: Dataset, posterior: Floats) -> Check:
    labels = data.labels

    def figures(weights: Floats) -> dict[str, Floats]:
        recall = weighted.by_label(posterior, labels, weights)["recall"]
        found = {"macro_f1": weighted.macro_f1(posterior, labels, weights)}
        found["accuracy"] = weighted.mean(posterior.argmax(axis=1) == labels, weights)
        return found | {f"{label}_recall": recall[:, index] for index, label in enumerate(LABELS)}

    return Check(name, "all", len(labels), with_intervals(figures, [row.patient for row in data.rows], RESAMPLES))


def _probes(bundle: Bundle, data: Dataset) -> Iterator[Check]:
    """Of all images, and of those of each label, so that the label cannot give the source away."""
    features = penultimate(load_member(bundle, bundle.explainer), data.images)
    for of in ("all", *LABELS):
        chosen = np.array([of in ("all", row.label) for row in data.rows])
        sources = np.array([row.source for row in data.rows])
        names, counts = np.unique(sources[chosen], return_counts=True)
        chosen &= np.isin(sources, names[counts >= FEWEST])
        kept = data.where(chosen)
        if len(set(sources[chosen])) > 1:
            yield Check("probe", of, len(kept.rows), _probe(features[chosen], sources[chosen], kept))


def _probe(features: Floats, sources: NDArray[np.str_], data: Dataset) -> dict[str, Figure]:
    right = guesses(features, sources, [row.patient for row in data.rows]) == sources
    names, counts = np.unique(sources, return_counts=True)
    commonest = sources == names[counts.argmax()]

    def figures(weights: Floats) -> dict[str, Floats]:
        return {"accuracy": weighted.mean(right, weights), "commonest": weighted.mean(commonest, weights)}

    return with_intervals(figures, [row.patient for row in data.rows], RESAMPLES)
