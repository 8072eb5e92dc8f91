"""Lung masks of images, to measure whether maps look at the lungs: [N, S, S] bool over a network's view of each image.

The masks come from a bundle's segmenter, from a file of `training.lungs.mask_file` if there is no onnxruntime
(`framed`), or from the data set's own tables.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

import numpy as np

from cxr.arrays import Mask
from cxr.model.frames import FULL, in_frame, placement
from training.data import Row, Split
from training.lungs.mask_file import find_masks
from training.lungs.masked_images import load_masked
from training.lungs.segmenter import RECIPE

if TYPE_CHECKING:  # needs pydantic, which a training machine may lack
    from cxr.model.bundle import Bundle


SIDE: Final = 128  # pixels per side of masks from the tables


def segmented(bundle: "Bundle", folder: Path, rows: tuple[Row, ...]) -> dict[str, Mask]:
    """Masks by an exported bundle's lung segmenter, for each of its frames. All false if it has no segmenter."""
    frames = bundle.manifest.frames
    if bundle.manifest.lungs is None:
        return {frame: np.zeros((len(rows), 1, 1), bool) for frame in frames}
    found = find_masks(bundle, folder, [row.file for row in rows])
    return {frame: framed(found, rows, frame) for frame in frames}


def of_the_table(folder: Path, rows: tuple[Row, ...]) -> Mask:
    """The data set's masks over the whole image, by people if available, else by a machine; else all false."""
    masked = load_masked(folder, get_args(Split), RECIPE, SIDE)
    known = {outline.file: mask for outline, mask in zip(masked.outlines, masked.masks, strict=True)}
    return framed(known, rows, FULL)


def framed(masks: Mapping[str, Mask], rows: tuple[Row, ...], frame: str) -> Mask:
    """Masks by file name → masks of these rows, over the frame that is cut out by each mask."""
    nothing = np.zeros_like(next(iter(masks.values())))
    found = (masks.get(row.file, nothing) for row in rows)
    return np.stack([in_frame(mask, placement(frame, mask)) for mask in found])
