"""Would a gate keep out what is no upright frontal radiograph of a chest, and whom would it keep out by mistake?

The service has no such gate. These are figures of three that it could have, each a score of one image that is high
where the image is unlike those of training:

    probability   one less the largest posterior (Hendrycks & Gimpel 2017)
    energy        -ln Σ exp of the members' mean logits (Liu et al. 2020)
    neighbour     one less the cosine to the tenth nearest of a thousand training images' features (Sun et al. 2022)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import logsumexp

from cxr.arrays import Floats, Images, Mask
from cxr.model.bundle import Bundle
from cxr.model.inference import Ensemble
from cxr.model.posterior import combine
from evaluation import metrics
from evaluation.bootstrap import RESAMPLES, Resampling
from evaluation.bundle_images import BundleImages
from evaluation.figure import Figure
from evaluation.predictions import logits_of
from evaluation.probe import penultimate
from networks.architectures import Network, load_member
from training.data import half_of_validation, hashed_order

ByScore = Mapping[str, Floats]

ACCEPTED: Final = 0.95
"""Share of the images of one half of validation that each gate lets in."""

MEASURED: Final = 256  # images of the other half, each in every kind
REFERENCES: Final = 1000
NEAREST: Final = 10

KINDS: Final[dict[str, Callable[[Images], Images]]] = {
    "turned": lambda images: np.rot90(images, axes=(1, 2)),
    "upside_down": lambda images: images[:, ::-1],
    "negative": lambda images: 255 - images,
    "quarter": lambda images: images[:, : images.shape[1] // 2, : images.shape[2] // 2].repeat(2, 1).repeat(2, 2),
    "noise": lambda images: np.random.default_rng(0).integers(0, 256, images.shape, dtype=np.uint8),
}
"""What a hospital could send by mistake, made of prepared images [N, S, S], and noise, which should be easy."""


@dataclass(frozen=True, slots=True)
class Scorer:
    """Scores images against a bundle's training images, whose features [R, C] are `references`."""

    bundle: Bundle
    ensemble: Ensemble
    network: Network
    references: Floats

    @staticmethod
    def of(bundle: Bundle, train: BundleImages) -> "Scorer":
        """With the features that the explaining member has of training images that nobody picked."""
        network, references = load_member(bundle, bundle.explainer), some(train, REFERENCES)
        seen = references.views[bundle.explainer.frame]
        return Scorer(bundle, Ensemble(bundle, precision="float32"), network, _features(network, seen))

    def scores(self, data: BundleImages) -> dict[str, Floats]:
        """Each score of N images, [N]."""
        manifest = self.bundle.manifest
        logits = logits_of(self.ensemble, data)
        posterior = combine(logits, manifest.temperature, manifest.ensemble)
        features = _features(self.network, data.views[self.bundle.explainer.frame])
        cosines = np.sort(features @ self.references.T, axis=1)
        return {
            "probability": 1 - posterior.max(axis=1),
            "energy": -logsumexp(logits.mean(axis=0, dtype=np.float64), axis=1),
            "neighbour": 1 - cosines[:, -min(NEAREST, len(self.references))],
        }


@dataclass(frozen=True, slots=True)
class Familiarity:
    """What the gates made of images of one kind.

    `of` is a kind of unfamiliar images, whose figures are `<score>/auroc` against the images that they were made of,
    and `<score>/let_in`; or a source, or "all", whose figure is `<score>/kept_out`, its images shut out by mistake.
    """

    of: str
    images: int
    figures: dict[str, Figure]


def familiarity(bundle: Bundle, validation: BundleImages, train: BundleImages) -> tuple[Familiarity, ...]:
    """Measure the gates: thresholds from one half of validation, figures from patients of the other.

    Nothing is measured where one half has no patients.

    Args:
        bundle: exported.
        validation: as the bundle's networks see it.
        train: likewise.
    """
    chooses = np.array([half_of_validation(row) == "calibrate" for row in validation.rows])
    if chooses.all() or not chooses.any():
        return ()
    scorer = Scorer.of(bundle, train)
    limits = {name: np.quantile(of, ACCEPTED) for name, of in scorer.scores(validation.where(chooses)).items()}
    measured = some(validation.where(~chooses), MEASURED)
    known = scorer.scores(measured)
    sources = np.array([row.source for row in measured.rows])
    found = [_kept_out("all", np.ones(len(sources), dtype=bool), measured, known, limits)]
    found += [_kept_out(source, sources == source, measured, known, limits) for source in np.unique(sources)]
    for kind, make in KINDS.items():
        strange = scorer.scores(measured.changed(make))
        found.append(_let_in(kind, measured, known, strange, limits))
    return tuple(found)


def some(data: BundleImages, count: int) -> BundleImages:
    """At most so many images, those whose names have the smallest hashes."""
    chosen = set(hashed_order(data.rows)[:count])
    return data.where(index in chosen for index in range(len(data.rows)))


def _kept_out(
    source: str, chosen: Mask, data: BundleImages, known: ByScore, limits: Mapping[str, float]
) -> Familiarity:
    patients = [row.patient for row, kept in zip(data.rows, chosen, strict=True) if kept]

    def figures(weights: Floats) -> dict[str, Floats]:
        return {f"{name}/kept_out": metrics.mean(of[chosen] > limits[name], weights) for name, of in known.items()}

    return Familiarity(source, len(patients), Resampling(patients, RESAMPLES).measure(figures))


def _let_in(
    kind: str, data: BundleImages, known: ByScore, strange: ByScore, limits: Mapping[str, float]
) -> Familiarity:
    patients = [row.patient for row in data.rows]
    is_strange = np.repeat([False, True], len(patients))

    def figures(weights: Floats) -> dict[str, Floats]:
        both = np.concatenate([weights, weights], axis=1)
        return {
            f"{name}/auroc": metrics.auroc(np.concatenate([of, strange[name]]), is_strange, both)
            for name, of in known.items()
        } | {f"{name}/let_in": metrics.mean(of <= limits[name], weights) for name, of in strange.items()}

    return Familiarity(kind, len(patients), Resampling(patients, RESAMPLES).measure(figures))


def _features(network: Network, images: Images) -> Floats:
    features = penultimate(network, images)
    return np.asarray(features / np.linalg.norm(features, axis=1, keepdims=True))
