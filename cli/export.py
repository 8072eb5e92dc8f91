"""`cxr export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import track
from rich.table import Table

from cli.output import err, failing_cleanly, out
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle

if TYPE_CHECKING:
    from cxr.arrays import Views
    from export.verify import Parity


def export(
    bundle: Annotated[Path, typer.Argument(help="Folder of the model.", show_default=False)] = DEFAULT_BUNDLE,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Data set whose validation split verifies the graphs; by default one public radiograph is used."
        ),
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Also write int8 graphs, if they lose little macro-F1; needs --data.")
    ] = False,
) -> None:
    """Write a bundle's networks as ONNX, in float32 and float16, and verify them against PyTorch."""
    if int8 and data is None:
        raise typer.BadParameter("--int8 needs --data: it is calibrated and measured on the validation split")
    from export.to_onnx import export_bundle
    from export.verify import verify

    with failing_cleanly():
        source = Bundle(bundle)
        export_bundle(source, lambda members: track(members, "exporting", console=err))
        views, names = _images(Bundle(bundle), data)
        with err.status(f"verifying on {len(names)} images"):
            found = verify(Bundle(bundle), views, names)
    out.print(_parity_table(found, len(names)))
    if int8 and data is not None:
        with failing_cleanly():
            _quantise(Bundle(bundle), data)


def _quantise(bundle: Bundle, data: Path) -> None:
    """Make int8 graphs. Keep them if the ensemble's macro-F1 on the validation split stays high enough."""
    import numpy as np

    from cxr.model.inference import Ensemble
    from cxr.model.posterior import combine
    from cxr.model.views import parts_of
    from evaluation.bundle_images import bundle_images
    from evaluation.metrics import macro_f1
    from export.int8 import MAX_LOSS, Loss, discard, quantise_bundle

    manifest = bundle.manifest
    validation = bundle_images(bundle, data, "val")
    with err.status("quantising"):
        quantise_bundle(bundle, validation.views)
    found = {}
    for precision in ("float32", "int8"):
        ensemble = Ensemble(Bundle(bundle.root), precision=precision)
        alone = track(list(parts_of(validation.views, 1)), f"classifying in {precision}", console=err)
        logits = np.concatenate([ensemble.logits(image) for image in alone], axis=1)
        posterior = combine(logits, manifest.temperature, manifest.ensemble)
        found[precision] = float(macro_f1(posterior, validation.labels)[0])
    loss = Loss(**found)
    if not loss.acceptable:
        discard(Bundle(bundle.root))
    out.print(
        f"Macro-F1 on {len(validation.rows)} validation images: "
        f"{loss.float32:.4f} in float32, {loss.int8:.4f} in int8; "
        f"{'kept' if loss.acceptable else 'not kept'} (limit of the loss: {MAX_LOSS})"
    )


def _images(bundle: Bundle, data: Path | None) -> "tuple[Views, list[str]]":
    if data is None:
        from export.reference import reference_images

        return reference_images(bundle)
    from evaluation.bundle_images import bundle_images

    validation = bundle_images(bundle, data, "val")
    return validation.views, [row.file for row in validation.rows]


def _parity_table(found: "list[Parity]", images: int) -> Table:
    table = Table(title=f"ONNX against PyTorch float32, {images} images")
    for title in ("network", "precision", "max |Δ logit|", "max |Δ p|", "max |Δ opacity logit|", "labels that flip"):
        table.add_column(title)
    for parity in found:
        flips = ", ".join(f"{flip.name} (margin {flip.margin:.1e})" for flip in parity.flips) or "none"
        opacity = "–" if parity.max_opacity is None else f"{parity.max_opacity:.1e}"
        figures = f"{parity.max_logit:.1e}", f"{parity.max_probability:.1e}", opacity
        table.add_row(parity.member, parity.precision, *figures, flips)
    return table
