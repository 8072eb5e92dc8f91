"""The console command `cxr`. Commands import what they need: `cxr --help` and `cxr classify` load no torch."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from cxr.bundle import DEFAULT_BUNDLE, Bundle
from cxr.errors import BodyTooLarge, BundleError, DataError, ParityError, Refusal
from cxr.explanation import METHOD_NAMES, Method
from cxr.labels import DISCLAIMER, DISPLAY_NAMES, LABELS
from cxr.radiograph import MAX_BYTES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cxr.pipeline import Finding
    from export.verify import Parity
    from training.evaluate import Evaluation

app = typer.Typer(
    help="Classify and explain frontal chest radiographs: normal, pneumonia or COVID-19. Research use only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out, err = Console(markup=False), Console(stderr=True)  # a file name is no markup

DataPath = Annotated[
    Path | None,
    typer.Option("--data", help="Folder with metadata.csv; by default ../shared/data/cxr.", show_default=False),
]
BundlePath = Annotated[Path, typer.Option("--bundle", help="Folder of the model.", show_default=False)]


@app.command()
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

    with _failing_cleanly():
        source = Bundle(bundle)
        export_bundle(source, lambda members: track(members, "exporting", console=err))
        images, names = _images(source, data)
        with err.status(f"verifying on {len(names)} images"):
            found = verify(Bundle(bundle), images, names)
    out.print(_parity_table(found, len(names)))


@app.command()
def classify(
    files: Annotated[list[Path], typer.Argument(help="PNG, JPEG or DICOM files.", show_default=False)],
    bundle: BundlePath = DEFAULT_BUNDLE,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Classify radiographs. A file that is refused is named on stderr; the others are answered."""
    from cxr.pipeline import Classifier

    with _failing_cleanly():
        classifier = Classifier(Bundle(bundle))
    answered: list[tuple[Path, Finding]] = []
    for path in track(files, "classifying", console=err, transient=True, disable=len(files) == 1):
        try:
            answered.append((path, classifier.classify(_read(path))))
        except Refusal as refusal:
            _complain(f"{path}: {refusal}")
        except OSError:
            _complain(f"{path}: The file cannot be read.")
    if as_json:
        for path, finding in answered:
            typer.echo(json.dumps({"file": str(path), **asdict(finding), "disclaimer": DISCLAIMER}))
    elif answered:
        out.print(_findings_table(answered))
        for path, finding in answered:
            for warning in finding.warnings:
                _complain(f"{path}: {warning}")
    _disclaim()
    raise typer.Exit(0 if len(answered) == len(files) else 1)


@app.command()
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
    with _failing_cleanly(), err.status(f"explaining by {METHOD_NAMES[method]}"):
        loaded = Bundle(bundle)
        classifier, explainer = Classifier(loaded), Explainer(loaded)
        try:
            data = _read(file)
            finding = classifier.classify(data)
            explanation = explainer.explain(data, finding, target, method)
        except Refusal as refusal:
            _complain(f"{file}: {refusal}")
            raise typer.Exit(1) from None
        picture.write_bytes(explanation.overlay_png)
    typer.echo(explanation.statement)
    for warning in finding.warnings:
        _complain(warning)
    typer.echo(f"Written: {picture}")
    _disclaim()


@app.command()
def train(
    run: Annotated[Path, typer.Argument(help="Folder of the run; an interrupted run in it goes on.")],
    preset: Annotated[Literal["default", "plain", "quick"], typer.Option(help="Named set of knobs.")] = "default",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Change a knob: mixup=0.2, augmentation.flip=0, seed=1.")
    ] = None,
    data: DataPath = None,
) -> None:
    """Train a network from scratch, with a snapshot at the bottom of each cycle of the learning rate."""
    from training.config import PRESETS, override
    from training.data import DEFAULT_DATA, load, table_sha256
    from training.train import train as fit

    try:
        config = override(PRESETS[preset](), settings or [])
    except (ValueError, TypeError) as error:
        raise typer.BadParameter(str(error)) from None
    with _failing_cleanly():
        folder = data or DEFAULT_DATA
        learnt = load(folder, "train", config.recipe, config.size)
        validation = load(folder, "val", config.recipe, config.size)
        fit(config, learnt, validation, table_sha256(folder), run)
    typer.echo(f"Written: {run}, see learning-curve.png there.")


@app.command()
def release(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the bundle to write.")],
    cycle: Annotated[int | None, typer.Option(help="Snapshot; by default the last.", show_default=False)] = None,
    version: Annotated[str, typer.Option(help="Version of the bundle.")] = "1",
    data: DataPath = None,
) -> None:
    """Make a bundle of a run's snapshot: store, export and calibrate it."""
    from training.data import DEFAULT_DATA, load
    from training.release import release as make
    from training.rundir import RunDir

    with _failing_cleanly():
        source = RunDir(run)
        config = source.config
        validation = load(data or DEFAULT_DATA, "val", config.recipe, config.size)
        make(source, cycle or config.cycles, validation, output.name, version, output)
    typer.echo(f"Written: {output}. Next: cxr evaluate --bundle {output}")


@app.command()
def evaluate(
    split: Annotated[Literal["val", "test"], typer.Option(help="Choose nothing by the test split.")] = "val",
    bundle: BundlePath = DEFAULT_BUNDLE,
    data: DataPath = None,
) -> None:
    """Measure a bundle on a split, with 95 % intervals, and write its evaluation.json and MODEL_CARD.md.

    On the validation split the ONNX graphs are compared with PyTorch as well.
    """
    from export.verify import verify
    from training.card import Findings
    from training.data import DEFAULT_DATA, load, read_table
    from training.evaluate import evaluate as measure

    with _failing_cleanly():
        loaded = Bundle(bundle)
        folder, recipe = data or DEFAULT_DATA, loaded.manifest.recipe
        images = load(folder, split, recipe.id, recipe.size)
        findings = Findings(loaded)
        train_rows = tuple(row for row in read_table(folder) if row.split == "train")
        with err.status("resampling patients"):
            findings.splits[split] = measure(loaded, images, split, train_rows)
        if split == "val":
            with err.status(f"comparing with PyTorch on {len(images.rows)} images"):
                findings.parity = verify(loaded, images.images, [row.file for row in images.rows])
        card = findings.write()
    out.print(_headline_table(findings.splits[split]))
    typer.echo(f"Written: {card}")


@contextmanager
def _failing_cleanly() -> Iterator[None]:
    """Errors that the user can mend end the command with one line and status 2."""
    try:
        yield
    except (BundleError, DataError, ParityError, OSError) as error:
        _complain(str(error))
        raise typer.Exit(2) from None


def _read(path: Path) -> bytes:
    """The bytes of a file, refused by size before they are read."""
    if path.stat().st_size > MAX_BYTES:
        raise BodyTooLarge
    return path.read_bytes()


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


def _headline_table(found: "Evaluation") -> Table:
    table = Table(title=f"{found.bundle} {found.version} on {found.split}: {found.images} images")
    for title in ("figure", "value [95 % interval]"):
        table.add_column(title)
    by_label = [f"{label}_{figure}" for label in LABELS for figure in ("ppv", "recall", "f1")]
    for name in ("macro_f1", "accuracy", *by_label):
        table.add_row(name, str(found.figures[name]))
    return table


def _findings_table(answered: "list[tuple[Path, Finding]]") -> Table:
    table = Table()
    for title in ("file", "prediction", *(f"p({DISPLAY_NAMES[label]})" for label in LABELS), "not ruled out"):
        table.add_column(title)
    for path, finding in answered:
        table.add_row(
            path.name,
            DISPLAY_NAMES[finding.prediction],
            *(f"{finding.probabilities[label]:.3f}" for label in LABELS),
            ", ".join(DISPLAY_NAMES[label] for label in finding.prediction_set) or "uncertain: no label fits",
        )
    return table


def _complain(line: str) -> None:
    typer.echo(line, err=True)


def _disclaim() -> None:
    typer.echo(DISCLAIMER, err=True)
