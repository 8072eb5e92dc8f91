"""A snapshot of a run → a bundle: weights as shipped, exported, calibrated."""

import math
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from safetensors.torch import save

from cxr.bundle import Bundle, Conformal, Manifest, Member, Recipe, sha256
from cxr.errors import DataError
from cxr.inference import Ensemble
from cxr.labels import LABELS
from cxr.nets import build, storable
from cxr.posterior import combine
from export.to_onnx import export_bundle
from training.calibrate import fit_temperature, fit_thresholds
from training.data import Dataset, half_of_validation
from training.metrics import figures
from training.predict import logits_of
from training.rundir import RunDir

COVERAGE: Final = 0.9
SHOWN: Final = ("macro_f1", "log_loss", "covid19_ppv", "covid19_recall")


def release(run: RunDir, cycle: int, validation: Dataset, name: str, version: str, root: Path) -> Bundle:
    """Write a bundle of one network into `root`, with its ONNX graphs.

    The figures of the member come from the half of the validation split that chose it, temperature and thresholds
    from the half that chose nothing; all of them from the graphs and weights as they are shipped.

    Raises:
        DataError: the run has no such snapshot, one half of the validation split is empty, or the name will not do.
    """
    member = _store(run, cycle, root)
    config = run.config
    try:
        manifest = Manifest(
            schema_version=1,
            name=name,
            version=version,
            labels=LABELS,
            recipe=Recipe(id=config.recipe, size=config.size),
            members=(member,),
            ensemble="scpa",
            explainer=member.name,
            temperature=1.0,
            conformal=Conformal(coverage=COVERAGE, thresholds=dict.fromkeys(LABELS, 1.0)),
            training_manifest_sha256=run.table_sha256,
        )
    except ValidationError:
        raise DataError("a bundle's name and version are of small letters, digits, dots and hyphens") from None
    _write(root, manifest)
    export_bundle(Bundle(root))
    _write(root, _calibrated(Bundle(root), validation))
    return Bundle(root)


def _store(run: RunDir, cycle: int, root: Path) -> Member:
    if not run.snapshot(cycle).exists():
        raise DataError(f"{run.snapshot(cycle)} does not exist")
    network = build(run.config.architecture)
    run.restore(cycle, network)
    data = save(storable(network))
    name = run.config.architecture.replace("_", "-")
    folder = root / "weights"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.safetensors").write_bytes(data)
    return Member(
        name=name,
        architecture=run.config.architecture,
        weights=f"{name}.safetensors",
        sha256=sha256(data),
        cycle=cycle,
    )


def _calibrated(bundle: Bundle, validation: Dataset) -> Manifest:
    manifest = bundle.manifest
    halves = {
        half: validation.where(half_of_validation(row) == half for row in validation.rows)
        for half in ("select", "calibrate")
    }
    if not all(half.rows for half in halves.values()):
        raise DataError("the validation split has too few patients to be cut in two")
    ensemble = Ensemble(bundle)
    unseen = halves["calibrate"]
    logits = logits_of(ensemble, unseen)
    temperature = fit_temperature(logits, unseen.labels, manifest.ensemble)
    thresholds = fit_thresholds(combine(logits, temperature, manifest.ensemble), unseen.labels, COVERAGE)
    chosen_on = halves["select"]
    posterior = combine(logits_of(ensemble, chosen_on), temperature, manifest.ensemble)
    validated = {name: value for name, value in figures(posterior, chosen_on.labels).items() if name in SHOWN}
    shown = {name: value for name, value in validated.items() if not math.isnan(value)}  # JSON has no NaN
    update: dict[str, Any] = {
        "temperature": temperature,
        "conformal": Conformal(coverage=COVERAGE, thresholds=thresholds),
        "members": (manifest.members[0].model_copy(update={"validation": shown}),),
    }
    return manifest.model_copy(update=update)


def _write(root: Path, manifest: Manifest) -> None:
    (root / "bundle.json").write_text(manifest.model_dump_json(indent=2) + "\n")
