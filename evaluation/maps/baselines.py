"""Baseline maps that do not depend on a patient's opacities. A method must beat them: docs/marks.md, rule 6."""

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cxr.arrays import Map, Mask
from training.data import read_table
from training.opacities import Boxes, covered_by_boxes

GRID: Final = 64  # cells per side of the grid on which maps and marks are compared
SPREAD: Final = 0.25  # standard deviation of the centred Gaussian, as a share of the side
CONSTANT: Final = "mean_boxes"
NAMES: Final = {
    "random": "random map",
    "gaussian": "centred Gaussian",
    "lungs": "the lungs",
    CONSTANT: "mean box map",
}

Maps = NDArray[np.float32]
"""Maps [N, GRID, GRID]: evidence ≥ 0 over the whole radiograph."""


def mean_boxes(folder: Path, boxes: Boxes) -> Map:
    """[GRID, GRID]: for each cell the share of the boxed training images in which it lies in a box."""
    rows = [row for row in read_table(folder) if row.split == "train" and boxes.get(row.file)]
    mean: Map = covered_by_boxes(rows, boxes, GRID).mean(axis=0).astype(np.float32)
    return mean


def baselines(lungs: Mask, mean: Map) -> dict[str, Maps]:
    """Each baseline's maps for the images with these lungs [N, S, S]. Without lungs the whole image counts as lungs."""
    count = len(lungs)
    axis = (np.arange(GRID) + 0.5) / GRID - 0.5
    bell = np.exp(-0.5 * (axis / SPREAD) ** 2)
    return {
        "random": np.random.default_rng(0).random((count, GRID, GRID), np.float32),
        "gaussian": _repeated(np.outer(bell, bell).astype(np.float32), count),
        "lungs": np.stack([_lungs(mask) for mask in lungs]),
        CONSTANT: _repeated(mean, count),
    }


def _lungs(mask: Mask) -> Map:
    covered = mask if mask.any() else np.ones_like(mask)
    return np.asarray(cv2.resize(covered.astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_NEAREST), np.float32)


def _repeated(one: Map, count: int) -> Maps:
    return np.repeat(one[np.newaxis], count, axis=0)
