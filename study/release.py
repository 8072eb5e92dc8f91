"""Snapshots of runs → a bundle: weights as shipped, exported, calibrated, one of them chosen to explain."""

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
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle, Conformal, Manifest, Member, Recipe
from cxr.model.bundle_files import sha256
from cxr.model.inference import Ensemble
from cxr.model.posterior import EnsembleRule, combine
from evaluation.calibration import calibrated_log_loss, fit_temperature, fit_thresholds
from evaluation.metrics import figures
from evaluation.predictions import logits_of
from export.to_onnx import export_bundle
from networks.architectures import build, storable
from study.segmenter import adopt
from training.data import Dataset, Half, half_of_validation
from training.rundir import RunDir

COVERAGE: Final = 0.9
SHOWN: Final = ("macro_f1", "log_loss", "covid19_ppv", "covid19_recall")


@dataclass(frozen=True, slots=True)
class Source:
    """The snapshot that becomes a member: of which run, at the end of which cycle."""

    run: RunDir
    cycle: int


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of the sources explains, counting from 0, and why."""

    index: int
    reason: str


def release(
    sources: Sequence[Source],
    validation: Dataset,
    name: str,
    version: str,
    root: Path,
    rule: EnsembleRule = "scpa",
    explainer: Choice | None = None,
) -> Bundle:
    """Write a bundle into `root`, with its ONNX graphs.

    Each member's figures come from the half of the validation split that chooses, temperature and thresholds from the
    half that chose nothing; all of them from the graphs and weights as they are shipped.

    Args:
        sources: the members, at least one.
        validation: images of the validation split, prepared with the members' recipe.
        name: of the bundle.
        version: of the bundle.
        root: folder to write.
        rule: how members are combined.
        explainer: what selection chose; by default the member with the least calibrated log loss on the choosing half.

    Raises:
        DataError: there is no such snapshot, members do not fit together, one half of the validation split is empty,
            or the name will not do.
    """
    manifest = _manifest(sources, name, version, root, rule)
    _write(root, manifest)
    export_bundle(Bundle(root))
    _write(root, _calibrated(Bundle(root), validation, explainer))
    return Bundle(root)


def _manifest(sources: Sequence[Source], name: str, version: str, root: Path, rule: EnsembleRule) -> Manifest:
    """Weights in place, everything still uncalibrated."""
    inputs = {(source.run.config.recipe, source.run.config.size, source.run.table_sha256) for source in sources}
    if len(inputs) != 1:
        raise DataError("the members of a bundle share one recipe, one size and one training table")
    ((recipe, size, table),) = inputs
    members = tuple(_store(source, call, root) for source, call in zip(sources, _names(sources), strict=True))
    try:
        return Manifest(
            schema_version=1,
            name=name,
            version=version,
            labels=LABELS,
            recipe=Recipe(id=recipe, size=size),
            members=members,
            ensemble=rule,
            explainer=members[0].name,
            temperature=1.0,
            conformal=Conformal(coverage=COVERAGE, thresholds=dict.fromkeys(LABELS, 1.0)),
            training_manifest_sha256=table,
            lungs=adopt(Bundle(DEFAULT_BUNDLE), root),
        )
    except ValidationError:
        raise DataError("a bundle's name and version are of small letters, digits, dots and hyphens") from None


def _names(sources: Sequence[Source]) -> list[str]:
    """A lone network is called by its architecture, members also by cycle, and where that is not enough by number."""
    plain = [source.run.config.architecture.replace("_", "-") for source in sources]
    if len(plain) == 1:
        return plain
    named = [f"{call}-c{source.cycle:02d}" for call, source in zip(plain, sources, strict=True)]
    if len(set(named)) == len(named):
        return named
    return [f"{call}-{number}" for number, call in enumerate(named, 1)]


def _store(source: Source, name: str, root: Path) -> Member:
    if not source.run.snapshot(source.cycle).exists():
        raise DataError(f"{source.run.snapshot(source.cycle)} does not exist")
    architecture = source.run.config.architecture
    network = build(architecture)
    source.run.restore(source.cycle, network)
    data = save(storable(network))
    file = root / "weights" / f"{name}.safetensors"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return Member(name=name, architecture=architecture, weights=file.name, sha256=sha256(data), cycle=source.cycle)


def _calibrated(bundle: Bundle, validation: Dataset, explainer: Choice | None) -> Manifest:
    manifest, ensemble = bundle.manifest, Ensemble(bundle)
    unseen = _half(validation, "calibrate")
    logits = logits_of(ensemble, unseen)
    temperature = fit_temperature(logits, unseen.labels, manifest.ensemble)
    posterior = combine(logits, temperature, manifest.ensemble)
    chosen_on = _half(validation, "select")
    logits = logits_of(ensemble, chosen_on)
    explainer = explainer or _surest(logits, chosen_on.labels)
    update: dict[str, Any] = {
        "temperature": temperature,
        "conformal": Conformal(coverage=COVERAGE, thresholds=fit_thresholds(posterior, unseen.labels, COVERAGE)),
        "members": tuple(
            member.model_copy(update={"validation": _shown(one, chosen_on.labels, temperature)})
            for member, one in zip(manifest.members, logits, strict=True)
        ),
        "explainer": manifest.members[explainer.index].name,
        "explainer_reason": explainer.reason,
    }
    return manifest.model_copy(update=update)


def _half(validation: Dataset, half: Half) -> Dataset:
    rows = validation.where(half_of_validation(row) == half for row in validation.rows)
    if not rows.rows:
        raise DataError("the validation split has too few patients to be cut in two")
    return rows


def _surest(logits: Logits, labels: Ints) -> Choice:
    """The member of [M, N, 3] that validation speaks for."""
    if len(logits) == 1:
        return Choice(0, "the only member")
    losses = [calibrated_log_loss(one[np.newaxis], labels, "scpa") for one in logits]
    best = int(np.argmin(losses))
    reason = (
        f"least calibrated log loss on the choosing half of validation: {losses[best]:.4f} of {len(losses)} members"
    )
    return Choice(best, reason)


def _shown(logits: Logits, labels: Ints, temperature: float) -> dict[str, float]:
    """Figures of one member alone; JSON has no NaN."""
    found = figures(combine(logits[np.newaxis], temperature, "scpa"), labels)
    return {name: found[name] for name in SHOWN if not math.isnan(found[name])}


def _write(root: Path, manifest: Manifest) -> None:
    (root / "bundle.json").write_text(manifest.model_dump_json(indent=2) + "\n")
