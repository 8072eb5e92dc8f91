"""`cxr explain`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.output import BundlePath, complain, disclaim, err, failing_cleanly, read
from cxr.errors import Refusal, UnknownMember
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle
from cxr.report.explanation import METHODS, Explanation, Method, Panel

if TYPE_CHECKING:
    from cxr.report.result import Result


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
    dicom: Annotated[
        Path | None,
        typer.Option(
            "--dicom",
            help="Folder for the result as DICOM: the overlay as a secondary capture, and a structured report.",
            metavar="DIR",
        ),
    ] = None,
    bundle: BundlePath = DEFAULT_BUNDLE,
) -> None:
    """Classify a radiograph, draw where a network found evidence, and say it."""
    from cxr.pipeline import Classifier
    from cxr.report.result import Result

    if dicom and method == "all":
        raise typer.BadParameter("is of one map: name a method.", param_hint="--dicom")
    picture = output or Path(f"{file.stem}.overlay.png")
    written = [picture]
    with failing_cleanly(), err.status("explaining"):
        loaded = Bundle(bundle)
        try:
            data = read(file)
            finding = Classifier(loaded).classify(data)
            if member is not None and member not in loaded.manifest.choices:
                raise UnknownMember
            # Late: PyTorch and torchvision take many seconds to load, and what is wrong is told before.
            from attribution.explain import Explainer

            explainer = Explainer(loaded)
            shown: Explanation | Panel
            if method == "all":
                shown = explainer.panel(data, finding, target, member)
            else:
                shown = explanation = explainer.explain(data, finding, target, method, member)
                if dicom:
                    written += _write_objects(dicom, file.stem, Result.of(finding, explanation, loaded, data), data)
        except Refusal as refusal:
            complain(f"{file}: {refusal}")
            raise typer.Exit(1) from None
        picture.write_bytes(shown.overlay_png)
    typer.echo(shown.statement)
    for warning in finding.warnings:
        complain(warning)
    typer.echo(f"Written: {', '.join(map(str, written))}")
    disclaim()


def _write_objects(folder: Path, stem: str, result: "Result", data: bytes) -> list[Path]:
    """Write the DICOM objects of a result. Raises what `dicom_objects` does."""
    from cxr.report.objects import dicom_objects

    objects = dicom_objects(result, data)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for kind, made in objects.items():
        path = folder / f"{stem}.{kind}.dcm"
        path.write_bytes(made)
        written.append(path)
    return written
