"""The lung segmenter's place in a bundle: it is trained once, and handed on from one bundle to the next."""

from pathlib import Path
from typing import Final

from safetensors.torch import save

from cxr.model.bundle import Bundle, Recipe, Segmenter
from cxr.model.bundle_files import sha256
from networks.architectures import storable
from networks.unet import UNet
from training.lungs.segmenter import RECIPE, SIZE

FILE: Final = "lungs.safetensors"


def install(bundle: Bundle, network: UNet) -> None:
    """Write a segmenter's weights into a bundle and name them in bundle.json; its graph needs an export."""
    manifest = bundle.manifest.model_copy(update={"lungs": _write(save(storable(network)), bundle.root)})
    (bundle.root / "bundle.json").write_text(manifest.model_dump_json(indent=2) + "\n")


def place(file: Path, root: Path) -> Segmenter:
    """Copy a segmenter's weights as shipped (safetensors) into the folder of a bundle that is being written."""
    return _write(file.read_bytes(), root)


def adopt(source: Bundle, root: Path) -> Segmenter | None:
    """Copy the segmenter of a bundle, where it has one, into the folder of another that is being written.

    Raises:
        BundleError: the weights are not those that the source describes.
    """
    segmenter = source.manifest.lungs
    if segmenter is not None:
        (root / "weights" / segmenter.weights).write_bytes(source.read_weights(segmenter))
    return segmenter


def _write(weights: bytes, root: Path) -> Segmenter:
    (root / "weights" / FILE).write_bytes(weights)
    return Segmenter(weights=FILE, sha256=sha256(weights), recipe=Recipe(id=RECIPE, size=SIZE))
