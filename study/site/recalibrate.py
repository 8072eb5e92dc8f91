"""Temperature and thresholds fitted on a site's own images, judged by cross-fitting, and the bundle that has them."""

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
"""Of a reference, so that a figure that never changes here raises no alarm at the first image that differs."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """What a bundle's manifest says of calibration."""

    rule: EnsembleRule
    temperature: float
    coverage: float
    thresholds: Mapping[Label, float]

    @staticmethod
    def of(manifest: Manifest) -> "Shipped":
        """A manifest's."""
        conformal = manifest.conformal
        return Shipped(manifest.ensemble, manifest.temperature, conformal.coverage, conformal.thresholds)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A temperature and thresholds; `kept` are labels with too few images for a threshold of their own."""

    temperature: float
    thresholds: dict[Label, float]
    kept: tuple[Label, ...]

    def in_set(self, posterior: Floats) -> Mask:
        """[N, K] which labels a posterior [N, K] at this temperature leaves in its set."""
        return np.asarray(1.0 - posterior <= np.array([self.thresholds[label] for label in LABELS]))


def fit(logits: Scores, labels: Ints, shipped: Shipped) -> Fitted:
    """Temperature by log loss on all images, thresholds by label.

    A label with fewer than `OF_A_LABEL` images keeps a threshold at which it stays in as many of these images' sets as
    before: the shipped one is of another temperature. What it promised it promises no longer.

    Args:
        logits: [M, N, 3] of the members.
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
    """What recalibration gives on images that did not fit it: posterior [N, K] and sets [N, K], by folds.

    Patients are dealt to `FOLDS` folds, each label's in turn, in an order that nobody chose.
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
    """Mean and deviation of each figure of `cxr.drift` over a site's images; without those that are not known."""
    return {
        name: Reference(mean=float(values.mean()), deviation=max(float(values.std()), LEAST_DEVIATION[name]))
        for name, values in observed.items()
        if not np.isnan(values).any()
    }


def write_bundle(bundle: Bundle, site: Site, fitted: Fitted, root: Path) -> Bundle:
    """A bundle of the same weights and graphs with this calibration, in a folder that is made anew.

    Raises:
        BundleError: what was written is not valid.
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
