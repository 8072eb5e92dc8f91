"""Images of a data set prepared for a bundle's networks: by its recipe, size and frames."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from cxr.arrays import Images, Ints, Views
from cxr.model.bundle import Bundle
from training.data import Dataset, Row, Split, labels_of, load, read_table
from training.lungs.mask_file import find_masks


@dataclass(frozen=True, slots=True)
class BundleImages:
    """Rows of a table and their images: [N, S, S] uint8 in each of a bundle's frames, in the rows' order."""

    rows: tuple[Row, ...]
    views: Views

    @property
    def labels(self) -> Ints:
        """[N] indices into `LABELS`."""
        return labels_of(self.rows)

    def of(self, frame: str) -> Dataset:
        """The images in one frame."""
        return Dataset(self.rows, self.views[frame])

    def where(self, keep: Iterable[bool]) -> "BundleImages":
        """The rows for which `keep` is true."""
        kept = list(keep)
        parts = {frame: self.of(frame).where(kept) for frame in self.views}
        return BundleImages(next(iter(parts.values())).rows, {frame: part.images for frame, part in parts.items()})

    def changed(self, change: Callable[[Images], Images]) -> "BundleImages":
        """The same rows, with `change` applied to the images of each frame."""
        return BundleImages(self.rows, {frame: change(images) for frame, images in self.views.items()})


def bundle_images(bundle: Bundle, folder: Path, split: Split) -> BundleImages:
    """A split of a folder. If a frame needs lungs, the exported bundle's own segmenter outlines them.

    Raises:
        DataError: as `training.data.load`.
    """
    manifest = bundle.manifest
    files = [row.file for row in read_table(folder) if row.split == split]
    masks = find_masks(bundle, folder, files) if manifest.sees_lungs else None
    seen = {
        frame: load(folder, split, manifest.recipe.id, manifest.recipe.size, frame=frame, masks=masks)
        for frame in manifest.frames
    }
    return BundleImages(seen[manifest.frames[0]].rows, {frame: data.images for frame, data in seen.items()})
