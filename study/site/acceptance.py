"""Measure a bundle at a site, as shipped and recalibrated, and derive which uses are supported."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from pydantic import TypeAdapter

from cxr.arrays import Floats, Logits, Mask
from cxr.labels import Label
from cxr.model.bundle import Bundle, Site
from cxr.model.inference import Ensemble
from cxr.model.posterior import combine
from evaluation import metrics
from evaluation.bootstrap import RESAMPLES, Resampling
from evaluation.evaluate import evaluate
from evaluation.figure import Figure
from evaluation.predictions import Predictions, logits_of
from evaluation.split_evaluation import SplitEvaluation
from study.site.images import SiteImages
from study.site.needs import Need, enough_to_recalibrate, known, needs
from study.site.recalibrate import Fitted, Shipped, cross_fitted, fit, references
from study.site.verdict import Use, uses

SHARES: Final = ("refused", "unfamiliar", "no_lungs", "doubted")


@dataclass(frozen=True, slots=True)
class Acceptance:
    """site.json: the results of `cxr site`.

    site, bundle, version: the site, and the bundle that was tested
    counts:    images by label
    patients:  whether the table names patients
    left_out:  number of files that were left out, by reason; `copies` of training images are among them
    checked:   whether the bundle has hashes to detect copies
    shares:    shares of the files, by `SHARES`: refused, unfamiliar to the gate, without lungs, any of these
    gated:     whether the bundle has a gate
    shipped:   figures of the bundle as shipped; figures that need more images are null
    recalibrated: the same with temperature and thresholds fitted here, cross-fitted; None with too few images
    fitted:    temperature and thresholds fitted on all images
    """

    site: str
    bundle: str
    version: str
    counts: dict[Label, int]
    patients: bool
    left_out: dict[str, int]
    copies: int
    checked: bool
    shares: dict[str, Figure]
    gated: bool
    needs: list[Need]
    uses: list[Use]
    shipped: SplitEvaluation
    recalibrated: SplitEvaluation | None
    fitted: Fitted | None


ADAPTER: Final = TypeAdapter(Acceptance)


@dataclass(frozen=True, slots=True)
class Measured:
    """An acceptance, and the predictions behind it: posteriors [N, 3] as shipped, and members' logits."""

    acceptance: Acceptance
    posterior: Floats
    logits: Logits


def accept(bundle: Bundle, site: str, images: SiteImages) -> Measured:
    """Measure a bundle on a site's images.

    Args:
        bundle: exported.
        site: its name.
        images: of that bundle (`study.site.images.read_site`).
    """
    ensemble = Ensemble(bundle, precision="float32")
    logits = logits_of(ensemble, images.images)
    shipped, counts = Shipped.of(bundle.manifest), images.counts
    posterior = combine(logits, shipped.temperature, shipped.rule)
    as_shipped = Fitted(shipped.temperature, dict(shipped.thresholds), ())
    before = _evaluated(bundle, images, logits, posterior, as_shipped.in_set(posterior), ensemble.provider)
    after, fitted = None, None
    if enough_to_recalibrate(counts):
        labels = images.images.labels
        patients = [row.patient for row in images.rows]
        after = _evaluated(bundle, images, logits, *cross_fitted(logits, labels, patients, shipped), ensemble.provider)
        fitted = fit(logits, labels, shipped)
    shares = _shares(images)
    return Measured(
        Acceptance(
            site=site,
            bundle=bundle.manifest.name,
            version=bundle.manifest.version,
            counts=counts,
            patients=images.patients,
            left_out=images.left_out,
            copies=images.copies,
            checked=images.checked,
            shares=shares,
            gated=bundle.manifest.gate is not None,
            needs=needs(counts),
            uses=uses(counts, shares["doubted"], before.figures, after.figures if after else {}, shipped.coverage),
            shipped=before,
            recalibrated=after,
            fitted=fitted,
        ),
        posterior,
        logits,
    )


def provenance(bundle: Bundle, tested: Measured, images: SiteImages, labels_sha256: str) -> Site:
    """The record of the site for a recalibrated bundle. There must be enough images to recalibrate."""
    found, fitted = tested.acceptance, tested.acceptance.fitted
    assert fitted is not None
    manifest = bundle.manifest
    posterior = combine(tested.logits, fitted.temperature, manifest.ensemble)
    observed = {
        "gate_score": images.gate_score,
        "top_probability": posterior.max(axis=1),
        "set_size": fitted.in_set(posterior).sum(axis=1).astype(np.float64),
        "no_lungs": images.no_lungs.astype(np.float64),
        "mean_grey": images.mean_grey,
    }
    return Site(
        name=found.site,
        images=found.counts,
        base=f"{manifest.name} {manifest.version}",
        base_sha256=bundle.sha256,
        labels_sha256=labels_sha256,
        kept=fitted.kept,
        reference=references(observed),
    )


def _evaluated(
    bundle: Bundle, images: SiteImages, logits: Logits, posterior: Floats, in_set: Mask, provider: str
) -> SplitEvaluation:
    """Figures of these answers; None if there are too few images."""
    said = Predictions(
        rows=images.rows,
        labels=images.images.labels,
        posterior=posterior,
        uncalibrated=combine(logits, 1.0, bundle.manifest.ensemble),
        in_set=in_set,
        held_out=np.ones(len(images.rows), bool),
        provider=provider,
    )
    found = evaluate(bundle, said, "test", ())
    return replace(found, figures=known(found.figures, images.counts))


def _shares(images: SiteImages) -> dict[str, Figure]:
    """Shares of all files that were read. A refused file counts as a patient of its own."""
    refused = np.repeat([False, True], [len(images.rows), images.refused])
    flags = {
        "refused": refused,
        "unfamiliar": _padded(images.unfamiliar, images.refused),
        "no_lungs": _padded(images.no_lungs, images.refused),
    }
    flags["doubted"] = flags["refused"] | flags["unfamiliar"] | flags["no_lungs"]
    patients = [*(row.patient for row in images.rows), *(f"refused {number}" for number in range(images.refused))]

    def figures(weights: Floats) -> dict[str, Floats]:
        return {name: metrics.mean(flags[name], weights) for name in SHARES}

    return Resampling(patients, RESAMPLES).measure(figures)


def _padded(flags: Mask, refused: int) -> Mask:
    return np.concatenate([flags, np.zeros(refused, bool)])
