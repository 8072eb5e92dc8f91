"""Make a bundle of snapshots: store their weights, export and calibrate them, and choose the explaining member."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import ValidationError
from safetensors.torch import save

from cxr.arrays import Ints, Logits
from cxr.errors import DataError
from cxr.labels import LABELS
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle, Conformal, Hashes, Manifest, Member, Recipe, Segmenter
from cxr.model.bundle_files import sha256
from cxr.model.inference import Ensemble
from cxr.model.posterior import EnsembleRule, combine
from evaluation.bundle_images import BundleImages, bundle_images
from evaluation.calibration import calibrated_log_loss, fit_temperature, fit_thresholds
from evaluation.metrics import figures
from evaluation.predictions import logits_of
from export.to_onnx import export_bundle
from networks.architectures import build, storable
from study.candidate import Calibration
from study.segmenter import adopt, hand_on, place
from study.site.copies import store_hashes
from training.data import Half, half_of_validation, outside, read_table
from training.rundir import RunDir

COVERAGE: Final = 0.9
UNCALIBRATED: Final = Calibration(1.0, COVERAGE, dict.fromkeys(LABELS, 1.0), fitted_on="")
SHOWN: Final = ("macro_f1", "log_loss", "covid19_ppv", "covid19_recall")


@dataclass(frozen=True, slots=True)
class Source:
    """The snapshot of a member: its run and its cycle."""

    run: RunDir
    cycle: int


@dataclass(frozen=True, slots=True)
class Choice:
    """The index of the explaining member among the sources, and the reason."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class Contents:
    """The contents of a bundle.

    sources:     the members, at least one; each keeps the frame that it was trained with
    rule:        how they are combined
    explainer:   the choice of the selection; by default the member with the smallest calibrated log loss on the
                 selection half
    calibration: fitted beforehand; by default it is fitted on the calibration half of the validation split
    segmenter:   weights of the lung segmenter (safetensors); by default those of the default bundle
    """

    sources: Sequence[Source]
    rule: EnsembleRule = "scpa"
    explainer: Choice | None = None
    calibration: Calibration | None = None
    segmenter: Path | None = None


def release(contents: Contents, data: Path, name: str, version: str, root: Path) -> Bundle:
    """Write a bundle into `root`, with its ONNX graphs. Other weights in that folder are removed.

    The gate is the default bundle's. Hashes are of the images that trained or calibrated it.

    All figures are computed with the final graphs and weights. Each member's own figures are of the selection half of
    the validation split.

    Args:
        contents: members and their combination.
        data: folder with the validation split; the bundle's own segmenter outlines the lungs.
        name: of the bundle.
        version: of the bundle.
        root: folder to write.

    Raises:
        BundleError: the file of the segmenter does not have a segmenter's weights.
        DataError: a snapshot does not exist, members do not fit together, one half of the validation split is empty,
            or name or calibration is invalid.
    """
    manifest = _manifest(contents, name, version, root)
    manifest = manifest.model_copy(update={"hashes": _hashes(contents, data, root)})
    _write(root, manifest)
    export_bundle(Bundle(root))
    _write(root, _calibrated(Bundle(root), bundle_images(Bundle(root), data, "val"), contents))
    return Bundle(root)


def _manifest(contents: Contents, name: str, version: str, root: Path) -> Manifest:
    """Store the weights, and make the manifest, still uncalibrated."""
    sources, calibration = contents.sources, contents.calibration or UNCALIBRATED
    inputs = {(source.run.config.recipe, source.run.config.size, source.run.table_sha256) for source in sources}
    if len(inputs) != 1:
        raise DataError("the members of a bundle must share recipe, size and training table")
    ((recipe, size, table),) = inputs
    members = tuple(_store(source, call, root) for source, call in zip(sources, _names(sources), strict=True))
    try:
        return Manifest(
            schema_version=2,
            name=name,
            version=version,
            labels=LABELS,
            recipe=Recipe(id=recipe, size=size),
            members=members,
            ensemble=contents.rule,
            explainer=members[0].name,
            **_applied(calibration),
            training_manifest_sha256=table,
            lungs=_segmenter(contents, root),
            gate=hand_on(default := Bundle(DEFAULT_BUNDLE), default.manifest.gate, root),
        )
    except ValidationError:
        raise DataError(
            "a bundle's name and version are of small letters, digits, dots and hyphens; a calibration has a "
            "temperature from 0.05 to 20, a coverage from 0.5 to 1, and for each label a threshold from 0 to 1"
        ) from None


def _names(sources: Sequence[Source]) -> list[str]:
    """Name members: by architecture, with several members also by cycle, and if needed by number.

    If members see different frames, the frame is part of the name: `resnet18-lungs-c02`.
    """
    plain = [source.run.config.architecture.replace("_", "-") for source in sources]
    if len(plain) == 1:
        return plain
    frames = [source.run.config.frame for source in sources]
    if len(set(frames)) > 1:
        plain = [f"{call}-{frame.rpartition('-')[0]}" for call, frame in zip(plain, frames, strict=True)]
    named = [f"{call}-c{source.cycle:02d}" for call, source in zip(plain, sources, strict=True)]
    if len(set(named)) == len(named):
        return named
    return [f"{call}-{number}" for number, call in enumerate(named, 1)]


def _store(source: Source, name: str, root: Path) -> Member:
    if not source.run.snapshot(source.cycle).exists():
        raise DataError(f"{source.run.snapshot(source.cycle)} does not exist")
    config = source.run.config
    network = build(config.architecture, opacity_head=config.opacity_weight > 0)
    source.run.restore(source.cycle, network)
    data = save(storable(network))
    file = root / "weights" / f"{name}.safetensors"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return Member(
        name=name,
        architecture=config.architecture,
        weights=file.name,
        sha256=sha256(data),
        frame=config.frame,
        opacity_head=network.opacities is not None,
        cycle=source.cycle,
    )


def _segmenter(contents: Contents, root: Path) -> Segmenter | None:
    return place(contents.segmenter, root) if contents.segmenter else adopt(Bundle(DEFAULT_BUNDLE), root)


def _hashes(contents: Contents, data: Path, root: Path) -> Hashes:
    """Hashes of all images except the test split and sources that a member was not trained on."""
    rows = [row for row in read_table(data) if row.split != "test"]
    for source in contents.sources:
        if left_out := source.run.config.leave_out:
            rows = [row for row, kept in zip(rows, outside(rows, left_out), strict=True) if kept]
    return store_hashes([data / row.file for row in rows], root)


def _calibrated(bundle: Bundle, validation: BundleImages, contents: Contents) -> Manifest:
    manifest, ensemble = bundle.manifest, Ensemble(bundle, precision="float32")
    if contents.calibration is None:
        fitted = _fitted(ensemble, _half(validation, "calibrate"), manifest.ensemble)
        manifest = manifest.model_copy(update=_applied(fitted))
    chosen_on = _half(validation, "select")
    logits = logits_of(ensemble, chosen_on)
    explainer = contents.explainer or _surest(logits, chosen_on.labels)
    update: dict[str, Any] = {
        "members": tuple(
            member.model_copy(update={"validation": _shown(one, chosen_on.labels, manifest.temperature)})
            for member, one in zip(manifest.members, logits, strict=True)
        ),
        "explainer": manifest.members[explainer.index].name,
        "explainer_reason": explainer.reason,
    }
    return manifest.model_copy(update=update)


def _applied(calibration: Calibration) -> dict[str, Any]:
    """The calibration as fields of a manifest."""
    return {
        "temperature": calibration.temperature,
        "conformal": Conformal(coverage=calibration.coverage, thresholds=calibration.thresholds),
        "calibrated_on": calibration.fitted_on or None,
    }


def _fitted(ensemble: Ensemble, unseen: BundleImages, rule: EnsembleRule) -> Calibration:
    """Fit a calibration on images that were not used for selection."""
    logits = logits_of(ensemble, unseen)
    temperature = fit_temperature(logits, unseen.labels, rule)
    posterior = combine(logits, temperature, rule)
    return Calibration(temperature, COVERAGE, fit_thresholds(posterior, unseen.labels, COVERAGE), fitted_on="")


def _half(validation: BundleImages, half: Half) -> BundleImages:
    rows = validation.where(half_of_validation(row) == half for row in validation.rows)
    if not rows.rows:
        raise DataError("the validation split has too few patients to be divided into two halves")
    return rows


def _surest(logits: Logits, labels: Ints) -> Choice:
    """The member with the best validation loss, from logits [M, N, 3]."""
    if len(logits) == 1:
        return Choice(0, "the only member")
    losses = [calibrated_log_loss(one[np.newaxis], labels, "scpa") for one in logits]
    best = int(np.argmin(losses))
    reason = (
        f"smallest calibrated log loss on the selection half of validation: {losses[best]:.4f} of {len(losses)} members"
    )
    return Choice(best, reason)


def _shown(logits: Logits, labels: Ints, temperature: float) -> dict[str, float]:
    """Figures of a single member, without NaN, which JSON does not have."""
    found = figures(combine(logits[np.newaxis], temperature, "scpa"), labels)
    return {name: found[name] for name in SHOWN if not math.isnan(found[name])}


def _write(root: Path, manifest: Manifest) -> None:
    """Write bundle.json, and remove weights that it does not name."""
    named = {stored.weights for stored in manifest.stored}
    for file in (root / "weights").glob("*.safetensors"):
        if file.name not in named:
            file.unlink()
    (root / "bundle.json").write_text(manifest.model_dump_json(indent=2) + "\n")
