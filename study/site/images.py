"""Read a site's files as the service would, and list the files that cannot be used."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cxr.arrays import Floats, Mask
from cxr.errors import BodyTooLarge, DataError, Refusal
from cxr.labels import LABELS, Label
from cxr.limits import MAX_BYTES
from cxr.model.bundle import Bundle
from cxr.pipeline import Prepared, Preprocessor
from evaluation.bundle_images import BundleImages
from study.site.copies import code, is_copy, known_codes
from training.data import Row
from training.prepare.records import Collection, CollectionImage

Track = Callable[[Sequence[CollectionImage]], Iterable[CollectionImage]]

COPY: Final = "the bundle was trained on this image, or on one that looks the same"
UNREADABLE: Final = "the file cannot be read"
NOTHING_LEFT: Final = "none of the table's images can be used"


@dataclass(frozen=True, slots=True)
class SiteImages:
    """The images to measure on, and the files that are left out.

    images:     prepared for the networks; file names are relative to the site's folder
    patients:   whether the table names patients; otherwise each image counts as a patient of its own
    unfamiliar, no_lungs: [N] results of gate and segmenter
    gate_score: [N], NaN if the bundle has no gate
    mean_grey:  [N]
    left_out:   number of left-out files by reason; `copies` are among them
    refused:    number of files that the service would refuse
    checked:    whether the bundle has hashes to detect copies
    """

    images: BundleImages
    patients: bool
    unfamiliar: Mask
    no_lungs: Mask
    gate_score: Floats
    mean_grey: Floats
    left_out: dict[str, int]
    refused: int
    checked: bool

    @property
    def rows(self) -> tuple[Row, ...]:
        """One row per image."""
        return self.images.rows

    @property
    def counts(self) -> dict[Label, int]:
        """Number of images by label."""
        found = Counter(row.label for row in self.rows)
        return {label: found[label] for label in LABELS}

    @property
    def copies(self) -> int:
        """Number of images that the bundle was trained on."""
        return self.left_out.get(COPY, 0)


def read_site(bundle: Bundle, folder: Path, collection: Collection, name: str, track: Track = iter) -> SiteImages:
    """Decode and prepare the files that a table lists. Copies of training images are detected and left out.

    Args:
        bundle: exported.
        folder: the files' names are relative to it.
        collection: what the table lists (`training.prepare.listed.read_listed`).
        name: of the site.
        track: wraps the images that are iterated over, for a progress bar.

    Raises:
        DataError: nothing is left.
    """
    left_out, refused = Counter(one.reason for one in collection.left_out), 0
    preprocessor, known = Preprocessor(bundle, gated=True), known_codes(bundle)
    kept: list[tuple[CollectionImage, Prepared]] = []
    for listed in track(collection.images):
        prepared = _prepared(preprocessor, known, listed.path)
        if isinstance(prepared, str):
            left_out[prepared] += 1
            refused += prepared not in (COPY, UNREADABLE)
        else:
            kept.append((listed, prepared))
    if not kept:
        reasons = "; ".join(f"{count} × {reason}" for reason, count in left_out.most_common(3))
        raise DataError(f"{folder}: {NOTHING_LEFT}" + (f" ({reasons})" if reasons else ""))
    return _gathered(kept, folder, name, dict(left_out), refused, checked=known is not None)


def _prepared(preprocessor: Preprocessor, known: NDArray[np.uint64] | None, path: Path) -> Prepared | str:
    """A file prepared as in the service, or the reason to leave it out."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return BodyTooLarge.message
        data = path.read_bytes()
        prepared = preprocessor.prepare(data)
    except Refusal as refusal:
        return refusal.message
    except OSError:
        return UNREADABLE
    if known is not None and is_copy(code(prepared.radiograph.pixels), known):
        return COPY
    return prepared.without_pixels()


def _gathered(
    kept: list[tuple[CollectionImage, Prepared]],
    folder: Path,
    name: str,
    left_out: dict[str, int],
    refused: int,
    checked: bool,
) -> SiteImages:
    rows = tuple(_row(listed, folder, name) for listed, _ in kept)
    prepared = [one for _, one in kept]
    views = {frame: np.stack([one.views[frame] for one in prepared]) for frame in prepared[0].views}
    return SiteImages(
        images=BundleImages(rows, views),
        patients=any(listed.patient for listed, _ in kept),
        unfamiliar=np.array([one.unfamiliar for one in prepared]),
        no_lungs=np.array([one.no_lungs for one in prepared]),
        gate_score=np.array([one.gate.score if one.gate else np.nan for one in prepared]),
        mean_grey=np.array([one.mean_grey for one in prepared]),
        left_out=left_out,
        refused=refused,
        checked=checked,
    )


def _row(listed: CollectionImage, folder: Path, name: str) -> Row:
    """A row of a single test split: the bundle was not trained on any of a site's images."""
    file = str(listed.path.relative_to(folder))
    return Row(file, listed.label, name, listed.patient or file, "test")
