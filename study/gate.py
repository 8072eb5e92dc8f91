"""The gate of a bundle: cross-fitted figures, a threshold from them, and the final network, trained on all images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from rich.progress import track
from safetensors.torch import save

from cxr.arrays import Floats, Ints, Mask
from cxr.decode import decode
from cxr.model.bundle import Bundle, Gate, Recipe
from cxr.model.bundle_files import sha256
from evaluation.gate import GateCheck, by_source, kept_out, strangers, threshold
from networks.architectures import storable
from networks.gate import SIZE, GateNetwork
from training.data import Row, read_table
from training.gate.examples import (
    KINDS_EACH,
    KNOWN,
    RECIPE,
    VARIED,
    Examples,
    collect,
    of_pictures,
    of_radiographs,
    seen,
)
from training.gate.learn import logits_of, train_gate
from training.lungs.mask_file import find_masks
from training.lungs.masked_images import extra_images

FILE: Final = "gate.safetensors"
FOLDS: Final = 5


@dataclass(frozen=True, slots=True)
class GateStudy:
    """A trained gate, its threshold on scores, and its figures on images that it was not trained on."""

    network: GateNetwork
    threshold: float
    checks: tuple[GateCheck, ...]


def examples_of(bundle: Bundle, folder: Path, seed: int) -> tuple[tuple[Row, ...], Examples]:
    """All examples: the training and validation images of a folder, images made from them, pictures and drawings.

    Raises:
        DataError: as `read_table`, `find_masks` and `training.gate.pictures.pictures`.
    """
    rows = tuple(row for row in read_table(folder) if row.split != "test")
    lungs = find_masks(bundle, folder, [row.file for row in rows])
    made = of_radiographs(folder, rows, lungs, seed)
    radiographs = collect(track(made, "gate, examples", total=(2 + KINDS_EACH) * len(rows)))
    others = collect(of_pictures(seed, len(rows)))
    return rows, radiographs.and_also(others)


def study_gate(rows: Sequence[Row], examples: Examples, folder: Path, seed: int) -> GateStudy:
    """Train gates for five folds by patient, gates without each source in turn, then a gate on all images.

    Pictures and drawings are divided into the folds too, so that each is scored by a gate that was not trained on it.
    """
    patients = _patients(rows, examples)
    folds = _fold_of(patients)
    logits = _held_out(examples, [(folds == fold,) * 2 for fold in range(FOLDS)], seed, "gate, folds")
    sources = np.array([rows[origin].source if origin < len(rows) else "" for origin in examples.origins])
    its = [sources == source for source in sorted({row.source for row in rows})]
    without = [(np.isin(patients, patients[judged]), judged) for judged in its]
    left_out = _held_out(examples, without, seed, "gate, left-out sources")
    known = examples.kinds == KNOWN
    limit = threshold(logits[known], sources[known].tolist())
    network = train_gate(examples, seed)
    checks = [
        *(
            strangers(str(kind), logits[known], logits[here], [*patients[known], *patients[here]], limit)
            for kind in np.unique(examples.kinds)
            if kind not in (KNOWN, VARIED)
            for here in [examples.kinds == kind]
        ),
        *by_source("source", logits[known], sources[known].tolist(), patients[known].tolist(), limit),
        *by_source("left out", left_out[known], sources[known].tolist(), patients[known].tolist(), limit),
        *_elsewhere(network, folder, limit),
    ]
    return GateStudy(network, float(1 / (1 + np.exp(-limit))), tuple(checks))


def install(bundle: Bundle, study: GateStudy) -> None:
    """Write a gate's weights into a bundle and name them in bundle.json. Its graph needs an export afterwards."""
    weights = save(storable(study.network))
    (bundle.root / "weights" / FILE).write_bytes(weights)
    gate = Gate(
        weights=FILE, sha256=sha256(weights), recipe=Recipe(id=RECIPE, size=SIZE), threshold=round(study.threshold, 4)
    )
    manifest = bundle.manifest.model_copy(update={"gate": gate})
    (bundle.root / "bundle.json").write_text(manifest.model_dump_json(indent=2) + "\n")


def _held_out(examples: Examples, parts: Sequence[tuple[Mask, Mask]], seed: int, what: str) -> Floats:
    """[E] logits. In each part, a gate that is trained without the held-out examples scores the examples to judge."""
    logits = np.zeros(len(examples.kinds))
    for held, judged in track(parts, what):
        logits[judged] = logits_of(train_gate(examples.where(~held), seed), examples.images[judged])
    return logits


def _patients(rows: Sequence[Row], examples: Examples) -> "np.ndarray[tuple[int], np.dtype[np.str_]]":
    """[E] the patient whose radiograph an example was made from. A picture counts as a patient of its own."""
    names = [rows[origin].patient if origin < len(rows) else f"picture {origin}" for origin in examples.origins]
    return np.array(names)


def _fold_of(patients: "np.ndarray[tuple[int], np.dtype[np.str_]]") -> Ints:
    """[E] the fold of each example: patients are assigned at random, from a fixed seed."""
    names, places = np.unique(patients, return_inverse=True)
    return np.asarray(np.random.default_rng(0).permutation(len(names))[places] % FOLDS, np.int64)


def _elsewhere(network: GateNetwork, folder: Path, limit: float) -> list[GateCheck]:
    """Figures of the folder's radiographs that are in no split: those of another hospital, if there are any."""
    extras = extra_images(folder)
    if not extras:
        return []
    images = np.stack([seen(decode((folder / file).read_bytes()).pixels) for file in extras.values()])
    return [kept_out("elsewhere", "extras", logits_of(network, images), list(extras), limit)]
