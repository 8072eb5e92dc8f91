"""What decoding yields: a grey image, and where it came from."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cxr.decode.orientation import UPRIGHT, stored_point


@dataclass(frozen=True, slots=True)
class InstanceUIDs:
    """The three UIDs by which an archive finds a DICOM instance again; "" where absent or malformed."""

    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str


@dataclass(frozen=True, slots=True)
class Radiograph:
    """A decoded radiograph.

    pixels:     [H, W] uint8, C-contiguous, 0 black to 255 white, at the stored resolution, air dark
    media_type: "image/png", "image/jpeg" or "application/dicom": what the bytes are, whatever was claimed
    instance:   DICOM only
    warnings:   fixed sentences for people, never with anything from the file
    turned:     how the stored pixels were turned to make `pixels`, as an EXIF orientation: 1 not at all, 2 mirrored
    view:       what a DICOM file states as its ViewPosition, in capitals; a frontal view, "" where it states none
    full:       (H, W) as decoded, where `pixels` have been shrunk since or left behind
    """

    pixels: NDArray[np.uint8]
    media_type: str
    instance: InstanceUIDs | None
    warnings: tuple[str, ...]
    turned: int = UPRIGHT
    view: str = ""
    full: tuple[int, int] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the radiograph, whatever has become of its pixels."""
        return self.full or (self.pixels.shape[0], self.pixels.shape[1])

    def with_pixels(self, pixels: NDArray[np.uint8]) -> "Radiograph":
        """The same with fewer pixels, or none: all of them may be 40 MB."""
        return replace(self, pixels=pixels, full=self.shape)

    def without_pixels(self) -> "Radiograph":
        """All but the pixels."""
        return self.with_pixels(np.empty((0, 0), np.uint8))

    def stored(self, x: float, y: float) -> tuple[float, float]:
        """A point of `pixels` in the stored image: from its upper left corner, in pixels, centres at halves."""
        height, width = self.shape
        return stored_point(x, y, float(width), float(height), self.turned)
