"""`cxr explain`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.output import BundlePath, complain, disclaim, err, failing_cleanly, read
from cxr.bundle import DEFAULT_BUNDLE, Bundle
from cxr.errors import Refusal
from cxr.explanation import METHOD_NAMES, Method


def explain(
    file: Annotated[Path, typer.Argument(help="PNG, JPEG or DICOM file.", show_default=False)],
    method: Annotated[Method, typer.Option(help="How to make the map.")] = "gradcam_plus_plus",
    target: Annotated[
        Literal["predicted", "normal", "pneumonia", "covid19"], typer.Option(help="Label to explain.")
    ] = "predicted",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="PNG to write; else the file's name with .overlay.png, here.")
    ] = None,
    bundle: BundlePath = DEFAULT_BUNDLE,
) -> None:
    """Classify a radiograph and draw where a network found evidence."""
    from attribution.explain import Explainer
    from cxr.pipeline import Classifier

    picture = output or Path(f"{file.stem}.overlay.png")
    with failing_cleanly(), err.status(f"explaining by {METHOD_NAMES[method]}"):
        loaded = Bundle(bundle)
        classifier, explainer = Classifier(loaded), Explainer(loaded)
        try:
            data = read(file)
            finding = classifier.classify(data)
            explanation = explainer.explain(data, finding, target, method)
        except Refusal as refusal:
            complain(f"{file}: {refusal}")
            raise typer.Exit(1) from None
        picture.write_bytes(explanation.overlay_png)
    typer.echo(explanation.statement)
    for warning in finding.warnings:
        complain(warning)
    typer.echo(f"Written: {picture}")
    disclaim()
