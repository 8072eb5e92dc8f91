"""The types of an explanation. `attribution.explain` makes it; command line and service show it."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

from PIL import Image

from cxr.anatomy.boxes import Box
from cxr.anatomy.outlines import Outline
from cxr.anatomy.zones import ZoneShare
from cxr.labels import Label
from cxr.model.bundle import ENSEMBLE, Manifest

Method = Literal["gradcam_plus_plus", "gradcam", "lrp", "integrated_gradients", "occlusion", "opacity"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)
"""The first one is the default."""

METHOD_NAMES: Final[dict[Method, str]] = {
    "gradcam": "Grad-CAM",
    "gradcam_plus_plus": "Grad-CAM++",
    "lrp": "LRP",
    "integrated_gradients": "Integrated gradients",
    "occlusion": "Occlusion",
    "opacity": "Lung opacities",
}
"""Display names of all methods, in the order of the paper's figures. ASCII, for the font of the pictures."""
SIGNED: Final[frozenset[Method]] = frozenset({"lrp", "integrated_gradients", "occlusion"})
"""Methods with signed maps: negative values are evidence against the label."""
TAUGHT: Final[frozenset[Method]] = frozenset({"opacity"})
"""Methods whose maps are not evidence for a label: a second head, trained on radiologists' boxes, makes them."""

PAPERS: Final[tuple[Method, ...]] = ("gradcam", "gradcam_plus_plus", "lrp")
"""The methods of Karim et al. 2020, in the order of its figures."""


def offered(manifest: Manifest, member: str) -> tuple[Method, ...]:
    """The methods available for a member, or for `ENSEMBLE`: all that its networks have a head for."""
    asked = (one for one in manifest.members if member in (one.name, ENSEMBLE))
    return METHODS if all(one.opacity_head for one in asked) else tuple(m for m in METHODS if m not in TAUGHT)


@dataclass(frozen=True, slots=True)
class Panel:
    """An RGB picture with the maps of every method side by side, and sentences that describe them."""

    overlay: Image.Image
    statement: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The evidence for one label by one member of the ensemble, or by all of them together.

    member:             the member's name, or `cxr.model.bundle.ENSEMBLE`
    heatmap_png:        8-bit grey, 255 at the map's maximum. For a signed method 128 is zero, higher values are
                        evidence for the label, lower ones against it. None if it was not requested
    overlay:            the RGB picture; None if it was not requested
    statement:          sentences: the finding, its certainty, and where the evidence lies; ends with the warnings
    warnings:           sentences
    zones:              shares of the positive evidence
    no_lungs:           why the zones are thirds of the image and not of the lungs; "" if they are of the lungs
    boxes:              critical regions, in the stored image's pixels
    conservation_error: for LRP the largest |sum of relevance - logit| / max(|logit|, 1) of the members shown;
                        normally a rounding error
    timings_ms:         milliseconds of attribution, lungs and rendering
    outlines:           the borders of the zones
    """

    method: Method
    target: Label
    member: str
    heatmap_png: bytes | None
    overlay: Image.Image | None
    statement: str
    warnings: tuple[str, ...]
    zones: tuple[ZoneShare, ...]
    no_lungs: str
    boxes: tuple[Box, ...]
    conservation_error: float | None
    timings_ms: dict[str, float]
    outlines: tuple[Outline, ...] = ()
