"""The lungs of some images, for measuring whether maps look there: [N, S, S] bool over what a network sees of each.

From the segmenter of a bundle; from a file of `training.lungs.mask_file`, where there is no onnxruntime (`framed`); or
from the data set's own tables.
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


SIDE: Final = 128  # of the masks of the tables


def segmented(bundle: "Bundle", folder: Path, rows: tuple[Row, ...]) -> dict[str, Mask]:
    """By the lung segmenter of an exported bundle, over each of its frames; all false where it has none."""
    frames = bundle.manifest.frames
    if bundle.manifest.lungs is None:
        return {frame: np.zeros((len(rows), 1, 1), bool) for frame in frames}
    found = find_masks(bundle, folder, [row.file for row in rows])
    return {frame: framed(found, rows, frame) for frame in frames}


def of_the_table(folder: Path, rows: tuple[Row, ...]) -> Mask:
    """Over the whole image, where the data set has a mask, people's before a machine's; elsewhere all false."""
    masked = load_masked(folder, get_args(Split), RECIPE, SIDE)
    known = {outline.file: mask for outline, mask in zip(masked.outlines, masked.masks, strict=True)}
    return framed(known, rows, FULL)


def framed(masks: Mapping[str, Mask], rows: tuple[Row, ...], frame: str) -> Mask:
    """Masks by file name → those of rows, over the frame that is cut by them."""
    nothing = np.zeros_like(next(iter(masks.values())))
    found = (masks.get(row.file, nothing) for row in rows)
    return np.stack([in_frame(mask, placement(frame, mask)) for mask in found])
