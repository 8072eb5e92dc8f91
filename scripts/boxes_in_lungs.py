"""The share of radiologists' opacity boxes that lies inside lung masks, by source, on train and validation images.

    python -m scripts.boxes_in_lungs runs/lungs.npz

A network with a lung frame does not see what the segmenter leaves out. Boxes of images without lungs do not count.
"""

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
import typer

from cxr.model.frames import COARSE, Mask, fit
from training.data import DEFAULT_DATA, read_table
from training.lungs.mask_file import load_masks


def boxed(folder: Path) -> dict[str, Mask]:
    """File names → [COARSE, COARSE] the area covered by the image's boxes."""
    covered: defaultdict[str, Mask] = defaultdict(lambda: np.zeros((COARSE, COARSE), bool))
    with (folder / "boxes.csv").open(newline="", encoding="utf-8-sig") as handle:
        for record in csv.DictReader(handle):
            left, top, width, height = (float(record[side]) for side in "xywh")
            rows = slice(round(top * COARSE), round((top + height) * COARSE))
            covered[record["file"]][rows, round(left * COARSE) : round((left + width) * COARSE)] = True
    return covered


def main(masks: Path, data: Path = DEFAULT_DATA) -> None:
    """Print, for each source, the mean share of the boxes' area that lies in the lungs, and the lungs' area."""
    lungs, boxes = load_masks(masks), boxed(data)
    found: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in read_table(data):
        mask = lungs[row.file]
        if row.split != "test" and row.file in boxes and boxes[row.file].any() and mask.any():
            inside = fit(mask.astype(np.uint8) * 255, COARSE) > 127
            found[row.source].append((float(inside[boxes[row.file]].mean()), float(inside.mean())))
    for source, values in sorted(found.items()):
        share, area = np.mean(values, axis=0)
        typer.echo(f"{source:12} {len(values):5} images: {share:.1%} of the boxes' area in lungs, lung area {area:.1%}")


if __name__ == "__main__":
    typer.run(main)
