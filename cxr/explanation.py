"""What an explanation is; `attribution.explain` makes it, command line and service show it."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

from cxr.labels import Label

Method = Literal["gradcam_plus_plus", "gradcam"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)

METHOD_NAMES: Final[dict[Method, str]] = {"gradcam_plus_plus": "Grad-CAM++", "gradcam": "Grad-CAM"}


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where one member of the ensemble found evidence for one label.

    `heatmap_png` is 8-bit grey at the radiograph's own size, 255 at the map's maximum; `overlay_png` is the picture
    for people. `statement` is a sentence. `timings_ms` has the milliseconds of attribution and rendering.
    """

    method: Method
    target: Label
    member: str
    heatmap_png: bytes
    overlay_png: bytes
    statement: str
    timings_ms: dict[str, float]
