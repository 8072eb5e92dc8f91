"""What an explanation is; `attribution.explain` makes it, command line and service show it."""

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
"""The first one is made where none is named."""

METHOD_NAMES: Final[dict[Method, str]] = {
    "gradcam": "Grad-CAM",
    "gradcam_plus_plus": "Grad-CAM++",
    "lrp": "LRP",
    "integrated_gradients": "Integrated gradients",
    "occlusion": "Occlusion",
    "opacity": "Lung opacities",
}
"""For people, every method, in the order of the paper's figures. In ASCII: the font of the pictures has little else."""
SIGNED: Final[frozenset[Method]] = frozenset({"lrp", "integrated_gradients", "occlusion"})
"""Methods whose maps have a sign: what speaks against the label is negative."""
TAUGHT: Final[frozenset[Method]] = frozenset({"opacity"})
"""Methods whose maps are no evidence for a label: radiologists' boxes have taught a second head to make them."""

PAPERS: Final[tuple[Method, ...]] = ("gradcam", "gradcam_plus_plus", "lrp")
"""Those of Karim et al. 2020, in the order of its figures."""


def offered(manifest: Manifest, member: str) -> tuple[Method, ...]:
    """The methods that there are for a member, or for `ENSEMBLE`: all but what its networks have no head for."""
    asked = (one for one in manifest.members if member in (one.name, ENSEMBLE))
    return METHODS if all(one.opacity_head for one in asked) else tuple(m for m in METHODS if m not in TAUGHT)


@dataclass(frozen=True, slots=True)
class Panel:
    """The maps of every method side by side, an RGB picture for people, and what they show, in sentences."""

    overlay: Image.Image
    statement: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where one member of the ensemble, or all of them together, found evidence for one label.

    member:             the member's name, or `cxr.model.bundle.ENSEMBLE`
    heatmap_png:        8-bit grey: 255 at the map's maximum; for a signed method 128 is nothing, above speaks for the
                        label, below against it; None where it was not wanted
    overlay:            the RGB picture for people; None where it was not wanted
    statement:          what was found, how sure, and where, in sentences; the warnings are its last
    warnings:           sentences
    zones:              shares of the positive evidence
    no_lungs:           why the zones are thirds of the image and not of the lungs; "" where they are of the lungs
    boxes:              critical regions, in the stored image's pixels
    conservation_error: for LRP the largest |sum of relevance - logit| / max(|logit|, 1) of the members shown, which
                        is a rounding error where all is well
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
