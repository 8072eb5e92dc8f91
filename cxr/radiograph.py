"""What decoding yields: a grey image, where it came from, and the limits it was held to."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

MAX_BYTES: Final = 64 * 1024 * 1024
MAX_PIXELS: Final = 40_000_000


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
    """

    pixels: NDArray[np.uint8]
    media_type: str
    instance: InstanceUIDs | None
    warnings: tuple[str, ...]
