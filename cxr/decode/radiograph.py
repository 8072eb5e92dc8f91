"""The result of decoding: a grey image and its origin."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cxr.decode.orientation import UPRIGHT, stored_point


@dataclass(frozen=True, slots=True)
class InstanceUIDs:
    """The three UIDs by which an archive identifies a DICOM instance; "" if absent or malformed."""

    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str


@dataclass(frozen=True, slots=True)
class Radiograph:
    """A decoded radiograph.

    pixels:     [H, W] uint8, C-contiguous, 0 black to 255 white, at the stored resolution, air dark
    media_type: "image/png", "image/jpeg" or "application/dicom", recognised from the bytes and not from any header
    instance:   DICOM only
    warnings:   fixed sentences for people, without any content of the file
    turned:     how the stored pixels were turned to make `pixels`, as an EXIF orientation: 1 not at all, 2 mirrored
    view:       a DICOM file's ViewPosition in capitals; a frontal view, or "" if not stated
    full:       (H, W) as decoded, if `pixels` have been shrunk or dropped since
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
        """(H, W) of the radiograph as decoded, also after its pixels were shrunk or dropped."""
        return self.full or (self.pixels.shape[0], self.pixels.shape[1])

    def with_pixels(self, pixels: NDArray[np.uint8]) -> "Radiograph":
        """The same radiograph with other pixels: all of them may take 40 MB."""
        return replace(self, pixels=pixels, full=self.shape)

    def without_pixels(self) -> "Radiograph":
        """The same radiograph without its pixels."""
        return self.with_pixels(np.empty((0, 0), np.uint8))

    def stored(self, x: float, y: float) -> tuple[float, float]:
        """A point of `pixels` in the stored image: in pixels from its upper left corner, pixel centres at halves."""
        height, width = self.shape
        return stored_point(x, y, float(width), float(height), self.turned)
