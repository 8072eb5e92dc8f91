"""`cxr lungs`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import DataPath, failing_cleanly, out
from cxr.bundle import Bundle

if TYPE_CHECKING:
    from cxr.unet import UNet

HELD_OUT = ("val", "test")


def lungs(
    bundle: Annotated[Path, typer.Argument(help="Folder of the model that gets the segmenter.", show_default=False)],
    data: DataPath = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training masks; fixed beforehand.")] = 150,
    seed: Annotated[int, typer.Option(help="All chance comes from it.")] = 0,
) -> None:
    """Train the lung segmenter on the data's masks and put it into a bundle; `cxr export` then makes its graph."""
    from training.data import DEFAULT_DATA
    from training.lungs import dice, load_masked, train_segmenter

    with failing_cleanly():
        target, folder = Bundle(bundle), data or DEFAULT_DATA
        network = train_segmenter(load_masked(folder, ("train",)), epochs, seed)
        held_out = load_masked(folder, HELD_OUT)
        install(target, network)
    agreement = dice(network, held_out)
    patients = len({row.patient for row in held_out.rows})
    out.print(
        f"Dice with {len(agreement)} held-out masks of {patients} patients: mean {agreement.mean():.3f}, "
        f"smallest {agreement.min():.3f}.\n"
        "The masks are another segmenter's output on one source: this is agreement with it, not accuracy."
    )


def install(bundle: Bundle, network: "UNet") -> None:
    """Write a segmenter's weights into a bundle and name them in bundle.json."""
    from safetensors.torch import save

    from cxr.bundle import Recipe, Segmenter, sha256
    from cxr.nets import storable
    from training.lungs import RECIPE, SIZE

    weights = save(storable(network))
    (bundle.root / "weights" / "lungs.safetensors").write_bytes(weights)
    segmenter = Segmenter(weights="lungs.safetensors", sha256=sha256(weights), recipe=Recipe(id=RECIPE, size=SIZE))
    manifest = bundle.manifest.model_copy(update={"lungs": segmenter})
    (bundle.root / "bundle.json").write_text(manifest.model_dump_json(indent=2) + "\n")
