"""Correlate maps with the severity of disease in each lung zone, as scored by radiologists (BrixIA's scores).

    python -m evaluation.maps.severity --run RUNS/full-without-cohen-s0 -o FILE.json

The images are the scored ones of `cohen` in train and validation. So the network must have been trained without
`cohen`: docs/marks.md, rule 10.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer

from cxr.anatomy.lungs import LungSegmenter, NoLungs, union
from cxr.anatomy.zones import LUNG_ZONES, zones_of
from cxr.arrays import Floats, Ints
from cxr.decode import decode
from cxr.errors import DataError
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle
from cxr.model.frames import Placement, placement
from cxr.model.preprocess import preprocess, shrink
from cxr.report.explanation import METHODS
from evaluation.bootstrap import Figures, Resampling
from evaluation.figure import Figure
from evaluation.maps.baselines import CONSTANT, Maps, mean_boxes
from evaluation.maps.on_radiograph import HEAD, SLOW, maps_of
from evaluation.metrics import spearman
from networks.architectures import load_weights
from training.config import TrainConfig
from training.data import DEFAULT_DATA, Dataset, read_table
from training.opacities import read_boxes
from training.rundir import RunDir

READERS: Final = ("S", "J")
BRIXIA: Final = "ABCDEF"  # the right lung from top to bottom, then the left: the order of `LUNG_ZONES`
SOURCE: Final = "cohen"


def read_scores(folder: Path) -> dict[str, Floats]:
    """File name → [6] BrixIA's scores of `LUNG_ZONES`, 0 to 3, each the mean of two readers.

    Raises:
        DataError: brixia.csv is missing or has other columns.
    """
    try:
        with (folder / "brixia.csv").open(newline="", encoding="utf-8-sig") as handle:
            readings = {
                record["file"]: [[float(record[f"{who}-{zone}"]) for zone in BRIXIA] for who in READERS]
                for record in csv.DictReader(handle)
            }
    except (OSError, KeyError, ValueError):
        raise DataError(f"{folder / 'brixia.csv'} has no scores of two readers for six zones") from None
    return {file: np.mean(values, axis=0) for file, values in readings.items()}


def by_zone(maps: Maps, zones: Sequence[Ints], relative: bool = True) -> Floats:
    """[N, 6] the evidence in each lung zone, from maps [N, G, G] and the zone of each cell [G, G].

    `relative`: as a share of the map's evidence; 0 for a map without evidence.
    """
    rows = []
    for heatmap, where in zip(maps, zones, strict=True):
        sums = np.bincount(where.ravel(), weights=heatmap.ravel(), minlength=len(LUNG_ZONES))[: len(LUNG_ZONES)]
        rows.append(sums / (float(heatmap.sum()) or 1.0) if relative else sums)
    return np.array(rows)


def correlations(evidence: Mapping[str, Floats], scores: Floats, patients: Sequence[str]) -> dict[str, Figure]:
    """Spearman's rank correlation of evidence [N, 6] and scores [N, 6].

    `<map>/pooled` is over the zones of all images. `<map>/within` is the mean of each image's own correlation, over the
    images whose scores vary; a constant map counts as 0.
    """
    resampling = Resampling(patients)
    figures: dict[str, Figure] = {}
    varies = np.ptp(scores, axis=1) > 0
    for name, its in evidence.items():
        inside = np.where(varies, np.nan_to_num(spearman(its, scores)), np.nan)
        found = resampling.measure(_both(its, scores, inside))
        figures |= {f"{name}/{kind}": figure for kind, figure in found.items()}
    return figures


def _both(evidence: Floats, scores: Floats, inside: Floats) -> Figures:
    def figures(weights: Floats) -> dict[str, Floats]:
        times = weights.astype(np.int64)
        pooled = [spearman(*(np.repeat(values, row, axis=0).ravel() for values in (evidence, scores))) for row in times]
        known = ~np.isnan(inside)
        counts = weights @ known
        within = np.where(counts > 0, weights @ np.nan_to_num(inside) / np.maximum(counts, 1), np.nan)
        return {"pooled": np.array(pooled, np.float64), "within": within}

    return figures


@dataclass(frozen=True, slots=True)
class Scored:
    """Images with scores and plausible lungs, as input of a network of a frame. Zones are [G, G] indices."""

    images: Dataset
    places: tuple[Placement, ...]
    zones: tuple[Ints, ...]
    without_lungs: int


def scored(folder: Path, files: Mapping[str, Floats], bundle: Bundle, config: TrainConfig) -> Scored:
    """The images of `SOURCE` in train and validation that have scores.

    Raises:
        DataError: the bundle has no lung segmenter.
    """
    if bundle.manifest.lungs is None:
        raise DataError(f"{bundle.root} has no lung segmenter")
    segmenter = LungSegmenter(bundle, bundle.manifest.lungs)
    rows = [r for r in read_table(folder) if r.split != "test" and r.source == SOURCE and r.file in files]
    kept, seen, places, zones = [], [], [], []
    for row in rows:
        small = shrink(decode((folder / row.file).read_bytes()).pixels)
        lungs = segmenter.find(small)
        if isinstance(lungs, NoLungs):
            continue
        mask = union(lungs)
        kept.append(row)
        seen.append(preprocess(small, config.recipe, config.size, config.frame, mask))
        places.append(placement(config.frame, mask))
        zones.append(zones_of(lungs).zones.astype(np.int64))
    return Scored(Dataset(tuple(kept), np.stack(seen)), tuple(places), tuple(zones), len(rows) - len(kept))


def main(
    run: Annotated[Path, typer.Option(help="Folder of a run that was trained without cohen.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The JSON file to write.")],
    bundle: Annotated[Path, typer.Option(help="Bundle whose lung segmenter is used.")] = DEFAULT_BUNDLE,
    data: Path = DEFAULT_DATA,
    slow: Annotated[bool, typer.Option(help="Also measure integrated gradients and occlusion.")] = False,
) -> None:
    """Print and write the correlation of each method's evidence with the severity of a zone."""
    config = RunDir(run).config
    if config.leave_out != SOURCE:
        raise typer.BadParameter(f"was not trained without {SOURCE}", param_hint="--run")
    network = load_weights(config.architecture, max(run.glob("cycle-*.safetensors")).read_bytes())
    scores = read_scores(data)
    found = scored(data, scores, Bundle(bundle), config)
    rows = found.images.rows
    evidence = {CONSTANT: by_zone(np.repeat(mean_boxes(data, read_boxes(data))[None], len(rows), axis=0), found.zones)}
    for method in METHODS:
        if (method == HEAD and network.opacities is None) or (method in SLOW and not slow):
            continue
        maps = maps_of(network, method, found.images, found.places)
        evidence[method] = by_zone(maps, found.zones, relative=method != HEAD)
    figures = correlations(evidence, np.stack([scores[row.file] for row in rows]), [row.patient for row in rows])
    about = {"run": run.name, "images": len(rows), "without_lungs": found.without_lungs}
    written = {**about, "figures": {name: asdict(figure) for name, figure in figures.items()}}
    output.write_text(json.dumps(written, indent=1, allow_nan=False) + "\n")
    typer.echo("\n".join([str(about), *(f"{name}: {figure}" for name, figure in figures.items())]))


if __name__ == "__main__":
    typer.run(main)
