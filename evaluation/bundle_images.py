"""Images of a data set as a bundle's networks see them: its recipe, its size, its frame."""

from pathlib import Path

from cxr.model.bundle import Bundle
from cxr.model.frames import FULL
from training.data import Dataset, Split, load, read_table
from training.lungs.mask_file import find_masks


def bundle_images(bundle: Bundle, folder: Path, split: Split) -> Dataset:
    """A split of a folder, its lungs found by the bundle's own segmenter where the frame needs them.

    Raises:
        DataError: as `training.data.load`.
    """
    manifest = bundle.manifest
    files = [row.file for row in read_table(folder) if row.split == split]
    masks = None if manifest.frame == FULL else find_masks(bundle, folder, files)
    return load(folder, split, manifest.recipe.id, manifest.recipe.size, frame=manifest.frame, masks=masks)
