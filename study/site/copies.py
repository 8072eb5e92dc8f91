"""Detect local images that the bundle was trained on, by 64-bit perceptual hashes, which reveal no image.

A hash has a bit for each of 64 spatial frequencies: whether it is above their median (after Zauner 2010, section 3.2).
The frequencies are of the band of `training.prepare.registration`, which shows ribs and vessels and is independent of
brightness and contrast. Zauner uses the image's lowest frequencies, but these are similar in all chest radiographs. The
hash detects recompressed, resized or brightened copies, but seldom cropped ones. `training.prepare.near_duplicates`
detects those too, but needs the images.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from safetensors.numpy import load, save

from cxr.arrays import Grey
from cxr.decode import decode
from cxr.model.bundle import Bundle, Hashes
from cxr.model.bundle_files import sha256
from training.data import read_table
from training.prepare.near_duplicates import frame
from training.prepare.registration import levelled

FILE: Final = "hashes.safetensors"
SAME: Final = 6
"""The largest number of differing bits. Fewer than 1 % of the validation images, whose patients are not in training,
have a training image so near. Nearly all copies in another resolution or compression do (docs/gate.md)."""

_SIDE: Final = 64
_BAND: Final = (1.5, 4.0, 6.0)
_FIRST: Final = 36  # first coefficients, in zigzag order, which are similar in all chests
_BITS: Final = 64
_ZIGZAG: Final = sorted(np.ndindex(16, 16), key=lambda place: (sum(place), place))[_FIRST : _FIRST + _BITS]

Codes = NDArray[np.uint64]
"""[N] hashes."""


def code(pixels: Grey) -> int:
    """The hash of an image [H, W]."""
    small = cv2.resize(frame(pixels), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    frequencies = cv2.dct(levelled(small, *_BAND))
    chosen = np.array([frequencies[place] for place in _ZIGZAG])
    return int.from_bytes(np.packbits(chosen > np.median(chosen)).tobytes())


def store_hashes(paths: Sequence[Path], root: Path) -> Hashes:
    """Write the sorted hashes of some images into a bundle's folder. Returns the entry for its manifest."""
    with ThreadPoolExecutor() as pool:
        found = pool.map(lambda path: code(decode(path.read_bytes()).pixels), paths)
        codes = sorted(track(found, "hashes", total=len(paths), transient=True))
    data = save({"hashes": np.array(codes, np.uint64)})
    (root / "weights" / FILE).write_bytes(data)
    return Hashes(weights=FILE, sha256=sha256(data))


def install_hashes(bundle: Bundle, folder: Path) -> None:
    """Add to a released bundle the hashes of a folder's training and validation images."""
    hashes = store_hashes([folder / row.file for row in read_table(folder) if row.split != "test"], bundle.root)
    manifest = bundle.manifest.model_copy(update={"hashes": hashes})
    (bundle.root / "bundle.json").write_text(manifest.model_dump_json(indent=2) + "\n")


def known_codes(bundle: Bundle) -> Codes | None:
    """A bundle's hashes; None if it has none. Raises BundleError unless they match its description."""
    hashes = bundle.manifest.hashes
    return None if hashes is None else np.asarray(load(bundle.read_weights(hashes))["hashes"], np.uint64)


def is_copy(own: int, known: Codes) -> bool:
    """Whether a hash differs from a known one by at most `SAME` bits."""
    return bool(np.bitwise_count(known ^ np.uint64(own)).min(initial=_BITS) <= SAME)
