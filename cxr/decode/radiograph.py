"""What decoding yields: a grey image, and where it came from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

MIRROR: Final = 2  # the EXIF orientation of an image that is stored mirrored


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
    """

    pixels: NDArray[np.uint8]
    media_type: str
    instance: InstanceUIDs | None
    warnings: tuple[str, ...]
    turned: int = 1

    def stored(self, x: float, y: float) -> tuple[float, float]:
        """A point of `pixels` in the stored image: from its upper left corner, in pixels, centres at halves."""
        height, width = self.pixels.shape
        return _STORED[self.turned](x, y, float(width), float(height))


# (x, y, width, height) of the turned image → (x, y) in the stored one, by EXIF orientation.
_STORED: Final[dict[int, Callable[[float, float, float, float], tuple[float, float]]]] = {
    1: lambda x, y, w, h: (x, y),  # noqa: ARG005
    2: lambda x, y, w, h: (w - x, y),  # noqa: ARG005
    3: lambda x, y, w, h: (w - x, h - y),
    4: lambda x, y, w, h: (x, h - y),  # noqa: ARG005
    5: lambda x, y, w, h: (y, x),  # noqa: ARG005
    6: lambda x, y, w, h: (y, w - x),  # noqa: ARG005
    7: lambda x, y, w, h: (h - y, w - x),
    8: lambda x, y, w, h: (h - y, x),  # noqa: ARG005
}
