"""Put the lung segmenter into a bundle. It is trained once, and copied from one bundle to the next."""

from pathlib import Path
from typing import Final, TypeVar

from safetensors.torch import save

from cxr.model.bundle import Bundle, Gate, Recipe, Segmenter
from cxr.model.bundle_files import sha256
from networks.architectures import storable
from networks.unet import UNet
from training.lungs.segmenter import RECIPE, SIZE

FILE: Final = "lungs.safetensors"

_S = TypeVar("_S", Segmenter | None, Gate | None)


def install(bundle: Bundle, network: UNet) -> None:
    """Write a segmenter's weights into a bundle and name them in bundle.json. Its graph needs an export afterwards."""
    manifest = bundle.manifest.model_copy(update={"lungs": _write(save(storable(network)), bundle.root)})
    (bundle.root / "bundle.json").write_text(manifest.model_dump_json(indent=2) + "\n")


def place(file: Path, root: Path) -> Segmenter:
    """Copy a segmenter's weights as shipped (safetensors) into the folder of a bundle that is being written."""
    return _write(file.read_bytes(), root)


def adopt(source: Bundle, root: Path) -> Segmenter | None:
    """Copy a bundle's segmenter, if it has one, into the folder of another bundle that is being written.

    Raises:
        BundleError: the weights are not those that the source describes.
    """
    return hand_on(source, source.manifest.lungs, root)


def hand_on(source: Bundle, stored: _S, root: Path) -> _S:
    """Copy one of a bundle's weights files, if it exists, into the folder of another bundle.

    Raises:
        BundleError: the weights are not those that the source describes.
    """
    if stored is not None:
        (root / "weights" / stored.weights).write_bytes(source.read_weights(stored))
    return stored


def _write(weights: bytes, root: Path) -> Segmenter:
    (root / "weights" / FILE).write_bytes(weights)
    return Segmenter(weights=FILE, sha256=sha256(weights), recipe=Recipe(id=RECIPE, size=SIZE))
