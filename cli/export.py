"""`cxr export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import track
from rich.table import Table

from cli.output import err, failing_cleanly, out
from cxr.bundle import DEFAULT_BUNDLE, Bundle

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from export.verify import Parity


def export(
    bundle: Annotated[Path, typer.Argument(help="Folder of the model.", show_default=False)] = DEFAULT_BUNDLE,
    data: Annotated[
        Path | None,
        typer.Option(help="Data set whose validation split verifies the graphs; else one public radiograph."),
    ] = None,
) -> None:
    """Write a bundle's networks as ONNX, in float32 and float16, and verify them against PyTorch."""
    from export.to_onnx import export_bundle
    from export.verify import verify

    with failing_cleanly():
        source = Bundle(bundle)
        export_bundle(source, lambda members: track(members, "exporting", console=err))
        images, names = _images(source, data)
        with err.status(f"verifying on {len(names)} images"):
            found = verify(Bundle(bundle), images, names)
    out.print(_parity_table(found, len(names)))


def _images(bundle: Bundle, data: Path | None) -> "tuple[NDArray[np.uint8], list[str]]":
    recipe = bundle.manifest.recipe
    if data is None:
        from export.reference import reference_images

        return reference_images(recipe)
    from training.data import load

    validation = load(data, "val", recipe.id, recipe.size)
    return validation.images, [row.file for row in validation.rows]


def _parity_table(found: "list[Parity]", images: int) -> Table:
    table = Table(title=f"ONNX against PyTorch float32, {images} images")
    for title in ("network", "precision", "max |Δ logit|", "max |Δ p|", "labels that flip"):
        table.add_column(title)
    for parity in found:
        flips = ", ".join(f"{flip.name} (margin {flip.margin:.1e})" for flip in parity.flips) or "none"
        figures = f"{parity.max_logit:.1e}", f"{parity.max_probability:.1e}"
        table.add_row(parity.member, parity.precision, *figures, flips)
    return table
