"""Fit temperature and thresholds on a site's own images, measure them by cross-fitting, and write the bundle."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from cxr.arrays import Floats, Ints, Mask, Scores
from cxr.labels import LABELS, Label
from cxr.model.bundle import Bundle, Conformal, Manifest, Reference, Site
from cxr.model.posterior import EnsembleRule, combine
from evaluation.calibration import fit_temperature, fit_thresholds
from study.site.needs import OF_A_LABEL

FOLDS: Final = 5
LEAST_DEVIATION: Final = {
    "gate_score": 0.02,
    "top_probability": 0.02,
    "set_size": 0.1,
    "no_lungs": 0.07,
    "mean_grey": 2.0,
}
"""Smallest deviation of a reference, so that a constant figure does not cause an alarm at the first other value."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """The calibration in a bundle's manifest."""

    rule: EnsembleRule
    temperature: float
    coverage: float
    thresholds: Mapping[Label, float]

    @staticmethod
    def of(manifest: Manifest) -> "Shipped":
        """From a manifest."""
        conformal = manifest.conformal
        return Shipped(manifest.ensemble, manifest.temperature, conformal.coverage, conformal.thresholds)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A temperature and thresholds. `kept` are labels with too few images for a new threshold."""

    temperature: float
    thresholds: dict[Label, float]
    kept: tuple[Label, ...]

    def in_set(self, posterior: Floats) -> Mask:
        """[N, K] which labels a posterior [N, K] at this temperature leaves in its set."""
        return np.asarray(1.0 - posterior <= np.array([self.thresholds[label] for label in LABELS]))


def fit(logits: Scores, labels: Ints, shipped: Shipped) -> Fitted:
    """Fit the temperature by log loss on all images, and thresholds by label.

    The shipped thresholds belong to another temperature. A label with fewer than `OF_A_LABEL` images gets a threshold
    at which it is in as many of these images' sets as before. Its coverage is then no longer guaranteed.

    Args:
        logits: [M, N, 3] logits of the members.
        labels: [N].
        shipped: the bundle's own calibration.
    """
    temperature = fit_temperature(logits, labels, shipped.rule)
    posterior = combine(logits, temperature, shipped.rule)
    before = combine(logits, shipped.temperature, shipped.rule)
    thresholds = fit_thresholds(posterior, labels, shipped.coverage)
    kept = tuple(label for index, label in enumerate(LABELS) if (labels == index).sum() < OF_A_LABEL)
    for label in kept:
        index = LABELS.index(label)
        share = float((1.0 - before[:, index] <= shipped.thresholds[label]).mean())
        thresholds[label] = (
            float(np.quantile(1.0 - posterior[:, index], share, method="inverted_cdf")) if share else 0.0
        )
    return Fitted(temperature, thresholds, kept)


def cross_fitted(logits: Scores, labels: Ints, patients: list[str], shipped: Shipped) -> tuple[Floats, Mask]:
    """Recalibrated posteriors [N, K] and sets [N, K], each image with a fit on the other folds.

    Patients are divided into `FOLDS` folds, label by label, in a fixed pseudo-random order.
    """
    fold = _folds(labels, patients)
    posterior = np.full((len(labels), len(LABELS)), 1 / len(LABELS))
    in_set = np.ones(posterior.shape, bool)
    for held in range(FOLDS):
        inside, outside = fold == held, fold != held
        if inside.any() and outside.any():
            fitted = fit(logits[:, outside], labels[outside], shipped)
            posterior[inside] = combine(logits[:, inside], fitted.temperature, shipped.rule)
            in_set[inside] = fitted.in_set(posterior[inside])
    return posterior, in_set


def _folds(labels: Ints, patients: list[str]) -> Ints:
    """[N] the fold of each image, by its patient."""
    rng = np.random.default_rng(0)
    first: dict[str, int] = {}
    for index in rng.permutation(len(labels)):
        first.setdefault(patients[index], int(labels[index]))
    dealt, turn = {}, dict.fromkeys(range(len(LABELS)), 0)
    for patient, label in first.items():
        dealt[patient] = turn[label] % FOLDS
        turn[label] += 1
    return np.array([dealt[patient] for patient in patients], np.int64)


def references(observed: Mapping[str, Floats]) -> dict[str, Reference]:
    """Mean and standard deviation of each figure of `cxr.drift` over a site's images; unknown figures are left out."""
    return {
        name: Reference(mean=float(values.mean()), deviation=max(float(values.std()), LEAST_DEVIATION[name]))
        for name, values in observed.items()
        if not np.isnan(values).any()
    }


def write_bundle(bundle: Bundle, site: Site, fitted: Fitted, root: Path) -> Bundle:
    """Write a bundle with the same weights and graphs and this calibration into a newly created folder.

    Raises:
        BundleError: the written bundle is not valid.
    """
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    for part in ("weights", "onnx"):
        shutil.copytree(bundle.root / part, root / part)
    manifest = bundle.manifest
    images = ", ".join(f"{count} {label}" for label, count in site.images.items())
    recalibrated = manifest.model_copy(
        update={
            "version": f"{manifest.version}-{site.name}"[:64],
            "temperature": fitted.temperature,
            "conformal": Conformal(coverage=manifest.conformal.coverage, thresholds=fitted.thresholds),
            "calibrated_on": f"images of {site.name}: {images}",
            "site": site,
        }
    )
    (root / "bundle.json").write_text(recalibrated.model_dump_json(indent=2) + "\n")
    return Bundle(root)
