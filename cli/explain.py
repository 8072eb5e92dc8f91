"""`cxr explain`."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from archive.sources import read
from cli.ahead import import_ahead
from cli.output import BundlePath, complain, disclaim, err, failing_cleanly
from cxr.errors import Refusal, UnknownMember
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle
from cxr.report.explanation import METHODS, Explanation, Method, Panel
from cxr.report.pictures import Drawing, Encoding, Pictures, encode

if TYPE_CHECKING:
    from cxr.report.result import Result

SUFFIXES: Final[dict[str, Encoding]] = {".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
"""Encodings of an overlay by file suffix, other than PNG."""


def explain(
    file: Annotated[Path, typer.Argument(help="PNG, JPEG or DICOM file.", show_default=False)],
    method: Annotated[
        Literal[Method, "all"], typer.Option(help="How to make the map; all: every method side by side.")
    ] = METHODS[0],
    target: Annotated[
        Literal["predicted", "normal", "pneumonia", "covid19"], typer.Option(help="Label to explain.")
    ] = "predicted",
    member: Annotated[
        str | None,
        typer.Option(
            help="Whose map to make: a member's name, or ensemble; by default the explaining member.", metavar="NAME"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Picture to write: .png, .jpg or .webp; by default FILE's name with .overlay.png or .heatmap.png.",
        ),
    ] = None,
    pictures: Annotated[
        Pictures, typer.Option(help="Overlay for people, grey heatmap for software, both, or none.")
    ] = "overlay",
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
    """Classify a radiograph, draw where a network found evidence, and describe it in words."""
    if dicom and method == "all":
        raise typer.BadParameter("works with a single map: name a --method other than all.", param_hint="--dicom")
    if pictures != "overlay" and method == "all":
        raise typer.BadParameter("works with a single map: name a --method other than all.", param_hint="--pictures")
    files: dict[Path, bytes] = {}
    written: list[Path] = []
    with failing_cleanly(), err.status("explaining"):
        loaded = Bundle(bundle)
        try:
            if member is not None and member not in loaded.manifest.choices:
                raise UnknownMember
            data = read(file)
            import_ahead("attribution.explain")  # on another core than decoding: PyTorch takes seconds to load
            from cxr.pipeline import Classifier, Preprocessor
            from cxr.report.result import Result

            with ThreadPoolExecutor(1) as thread:  # a decoder starts while the networks load
                preparing = thread.submit(Preprocessor(loaded).prepare, data)
                classifier = Classifier(loaded, threads=1, precision="float32")  # the quickest to load
                prepared = preparing.result()
            finding = classifier.infer(prepared)
            from attribution.explain import Explainer

            explainer = Explainer(loaded)
            shown: Explanation | Panel
            if method == "all":
                shown = explainer.panel(prepared, finding, target, member)
            else:
                drawing = replace(Drawing.named(pictures), overlay=pictures in ("overlay", "both") or dicom is not None)
                shown = explanation = explainer.explain(prepared, finding, target, method, member, drawing)
                if dicom:
                    written += _write_objects(dicom, file.stem, Result.of(finding, explanation, loaded, data), data)
        except Refusal as refusal:
            complain(f"{file}: {refusal}")
            raise typer.Exit(1) from None
        files = _files(shown, pictures, output, file.stem)
        for path, picture in files.items():
            path.write_bytes(picture)
    typer.echo(shown.statement)
    for warning in finding.warnings:
        complain(warning)
    if files or written:
        typer.echo(f"Written: {', '.join(map(str, [*files, *written]))}")
    disclaim()


def _files(shown: Explanation | Panel, pictures: Pictures, output: Path | None, stem: str) -> dict[Path, bytes]:
    """The files to write: paths and contents."""
    files = {}
    if pictures in ("overlay", "both") and shown.overlay is not None:
        path = output or Path(f"{stem}.overlay.png")
        files[path] = encode(shown.overlay, SUFFIXES.get(path.suffix.lower(), "png"))
    if isinstance(shown, Explanation) and shown.heatmap_png is not None:
        path = output or Path(f"{stem}.heatmap.png")
        taken = path in files or path.suffix.lower() in SUFFIXES  # a heatmap is a PNG
        files[path.with_suffix(".heatmap.png") if taken else path] = shown.heatmap_png
    return files


def _write_objects(folder: Path, stem: str, result: "Result", data: bytes) -> list[Path]:
    """Write the DICOM objects of a result. Raises what `dicom_objects` raises."""
    from cxr.report.objects import dicom_objects

    objects = dicom_objects(result, data)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for kind, made in objects.items():
        path = folder / f"{stem}.{kind}.dcm"
        path.write_bytes(made)
        written.append(path)
    return written
