"""`cxr explain`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.output import BundlePath, complain, disclaim, err, failing_cleanly, read
from cxr.errors import Refusal
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle
from cxr.report.explanation import METHODS, Explanation, Method, Panel


def explain(
    file: Annotated[Path, typer.Argument(help="PNG, JPEG or DICOM file.", show_default=False)],
    method: Annotated[
        Literal[Method, "all"], typer.Option(help="How to make the map; all: every map side by side.")
    ] = METHODS[0],
    target: Annotated[
        Literal["predicted", "normal", "pneumonia", "covid19"], typer.Option(help="Label to explain.")
    ] = "predicted",
    member: Annotated[
        str | None,
        typer.Option(
            help="Whose map: a member's name, or ensemble; by default the explaining member's.", metavar="NAME"
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="PNG to write; else the file's name with .overlay.png, here.")
    ] = None,
    bundle: BundlePath = DEFAULT_BUNDLE,
) -> None:
    """Classify a radiograph, draw where a network found evidence, and say it."""
    from attribution.explain import Explainer
    from cxr.pipeline import Classifier

    picture = output or Path(f"{file.stem}.overlay.png")
    with failing_cleanly(), err.status("explaining"):
        loaded = Bundle(bundle)
        classifier, explainer = Classifier(loaded), Explainer(loaded)
        try:
            data = read(file)
            finding = classifier.classify(data)
            shown: Explanation | Panel
            if method == "all":
                shown = explainer.panel(data, finding, target, member)
            else:
                shown = explainer.explain(data, finding, target, method, member)
        except Refusal as refusal:
            complain(f"{file}: {refusal}")
            raise typer.Exit(1) from None
        picture.write_bytes(shown.overlay_png)
    typer.echo(shown.statement)
    for warning in finding.warnings:
        complain(warning)
    typer.echo(f"Written: {picture}")
    disclaim()
