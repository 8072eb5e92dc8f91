"""`cxr prepare`."""

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from cli.output import complain, failing_cleanly, out
from cxr.labels import LABELS

if TYPE_CHECKING:
    from training.prepare.assemble import PreparedFolder
    from training.prepare.records import LeftOut

NO_PATIENTS = (
    "The collection names no patients: an image and its near-duplicates are a group, and images of one patient may be "
    "in two splits. If file names identify the patient, use --patient-pattern."
)


def prepare(
    folder: Annotated[Path, typer.Argument(help="Folder of the collection: see docs/data.md.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to create.", show_default=False)],
    kind: Annotated[
        Literal["covidx", "cohen", "folders", "csv"] | None,
        typer.Option(
            "--from", help="Kind of the collection; by default recognised from its files.", show_default=False
        ),
    ] = None,
    tables: Annotated[
        list[Path] | None,
        typer.Option("--table", help="CSV, or a COVIDx list for each part; may be repeated.", show_default=False),
    ] = None,
    source: Annotated[str, typer.Option(help="Name of the collection, if its tables give none.")] = "unknown",
    licence: Annotated[str, typer.Option(help="Licence of the images, if none is stated.")] = "see source",
    patient_pattern: Annotated[
        str, typer.Option(help="Regular expression for the patient in a file's path: '(person\\d+)_'.")
    ] = "",
    file_column: Annotated[str, typer.Option(help="Name of the CSV's column.")] = "",
    label_column: Annotated[str, typer.Option(help="Name of the CSV's column.")] = "",
    patient_column: Annotated[str, typer.Option(help="Name of the CSV's column.")] = "",
    words: Annotated[
        list[str] | None, typer.Option("--label", help="WORD=LABEL: your own word for a label.", show_default=False)
    ] = None,
    val: Annotated[float, typer.Option(help="Share of the images for validation.")] = 0.1,
    test: Annotated[float, typer.Option(help="Share for testing, if the publisher has no test split.")] = 0.2,
    resplit: Annotated[bool, typer.Option(help="Ignore the publisher's test split and make a new one.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the random split by patient.")] = 0,
    mapping: Annotated[
        Path | None,
        typer.Option(
            help="Also write a CSV of file and image names. It may identify patients: keep it safe.", show_default=False
        ),
    ] = None,
) -> None:
    """Turn a collection into a folder that `cxr train --data` reads: small grey images, split by patient.

    Near-duplicates are detected and stay in one split. Images that are left out are listed with the reason. No name,
    date or identifier is written, but text burnt into the pixels stays.
    """
    from training.prepare.assemble import prepare as assemble
    from training.prepare.assemble import without_published_test
    from training.prepare.kinds import ReadingOptions, read_collection
    from training.prepare.label_words import own_words
    from training.prepare.listed import Columns
    from training.prepare.splits import Shares

    with failing_cleanly():
        columns = Columns(file_column, label_column, patient_column)
        pattern = _pattern(patient_pattern)
        reading = ReadingOptions(kind, tuple(tables or ()), source, licence, pattern, columns, own_words(words or []))
        found, collection = read_collection(folder, reading)
        typer.echo(f"{folder}: {found}, {len(collection.images)} images to read", err=True)
        if resplit:
            collection = without_published_test(collection)
        prepared = assemble(collection, output, Shares(val, test), seed, mapping)
    report(prepared)
    if mapping is not None:
        complain(f"{mapping} lists the file of each image. File names may identify patients: never share it.")
    typer.echo(f"Written: {output}")


def data_of(run: Path, given: Path | None) -> Path:
    """The prepared folder that a run is trained and measured on.

    This is the given folder if it is prepared. Otherwise the folder is prepared once, with the defaults of `cxr
    prepare`, into RUN/data, and later commands find it there without --data.
    """
    from training.data import DEFAULT_DATA, is_prepared

    own = run / "data"
    if given is None:
        return own if is_prepared(own) else DEFAULT_DATA
    if is_prepared(given) or not given.is_dir():
        return given
    if is_prepared(own):
        typer.echo(f"{given} is not prepared: using {own}, which was made from it before.", err=True)
    else:
        prepare(given, own)
    return own


def _pattern(expression: str) -> re.Pattern[str] | None:
    try:
        return re.compile(expression) if expression else None
    except re.error:
        raise typer.BadParameter("not a regular expression", param_hint="--patient-pattern") from None


def report(prepared: "PreparedFolder") -> None:
    """Print what was kept, what was left out, and warnings."""
    out.print(_splits_table(prepared))
    if prepared.left_out:
        out.print(_left_out_table(prepared.left_out))
    disagreeing = sum(
        prepared.images[pair.first].picture.original.label != prepared.images[pair.second].picture.original.label
        for pair in prepared.pairs
    )
    typer.echo(f"Near-duplicates: {len(prepared.pairs)} pairs, each within one split; {disagreeing} differ in label.")
    if not prepared.patients:
        complain(NO_PATIENTS)


def _splits_table(prepared: "PreparedFolder") -> Table:
    from training.prepare.assemble import splits_of

    table = Table(title="images by split")
    for title in ("split", *LABELS, "images", "groups"):
        table.add_column(title, justify="left" if title == "split" else "right")
    for split, images in splits_of(prepared.images).items():
        labels = Counter(image.picture.original.label for image in images)
        counts = [labels[label] for label in LABELS]
        groups = len({image.patient for image in images})
        table.add_row(split, *(f"{count:,}" for count in (*counts, len(images), groups)))
    return table


def _left_out_table(left_out: "list[LeftOut]") -> Table:
    table = Table(title="left out, see left-out.csv")
    for title in ("reason", "files", "the collection's own words"):
        table.add_column(title, justify="right" if title == "files" else "left")
    for reason, count in Counter(one.reason for one in left_out).most_common():
        words = Counter(one.word for one in left_out if one.reason == reason and one.word)
        table.add_row(reason, f"{count:,}", ", ".join(f"{word} {number:,}" for word, number in words.most_common(5)))
    return table
