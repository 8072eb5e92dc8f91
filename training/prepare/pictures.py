"""Store a file of a collection as a small grey JPEG, named by a hash of its content."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cxr.decode import decode
from cxr.errors import BodyTooLarge, Refusal, TooSmall
from cxr.limits import MAX_BYTES, MIN_SIDE
from cxr.model.preprocess import shrink
from training.prepare.near_duplicates import frame
from training.prepare.records import CollectionImage, LeftOut
from training.prepare.tables import frontal_view

UNREADABLE: Final = "the file cannot be read"

_QUALITY: Final = 90


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A stored image.

    name:          12 hexadecimal digits of the stored bytes' SHA-256, which reveal nothing but the picture
    width, height: the original's, in pixels
    frame:         [128, 128] uint8, to find near-duplicates
    """

    original: CollectionImage
    name: str
    width: int
    height: int
    view: str
    frame: NDArray[np.uint8]

    @property
    def file(self) -> str:
        """Its path below the prepared folder."""
        return f"images/{self.name}.jpg"


def store(original: CollectionImage, folder: Path) -> StoredImage | LeftOut:
    """Decode, shrink to a short side of at most 256 and write as an 8-bit grey JPEG of quality 90 under folder/images.

    Only pixels are written: no EXIF, no DICOM element. Text burnt into the pixels stays. Safe to call from threads.
    """
    try:
        data = _read(original.path)
        radiograph = decode(data)
        if min(radiograph.pixels.shape) < MIN_SIDE:
            raise TooSmall
    except Refusal as refusal:
        return LeftOut(original.where, refusal.message, original.path)
    except OSError:
        return LeftOut(original.where, UNREADABLE, original.path)
    small = shrink(radiograph.pixels)
    jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
    height, width = radiograph.pixels.shape
    view = original.view
    if view == "unknown" and radiograph.view:
        view = frontal_view(radiograph.view) or "unknown"
    picture = StoredImage(original, hashlib.sha256(jpeg).hexdigest()[:12], width, height, view, frame(small))
    (folder / picture.file).write_bytes(jpeg)
    return picture


def _read(path: Path) -> bytes:
    if path.stat().st_size > MAX_BYTES:
        raise BodyTooLarge
    return path.read_bytes()
