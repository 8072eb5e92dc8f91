"""`cxr site`."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import track
from rich.table import Table

from cli.output import BundlePath, complain, disclaim, err, failing_cleanly, out
from cxr.labels import DISPLAY_NAMES
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle
from cxr.model.bundle_files import sha256

if TYPE_CHECKING:
    from study.site.acceptance import Acceptance


def site(
    folder: Annotated[Path, typer.Argument(help="Local radiographs: DICOM, PNG or JPEG.", show_default=False)],
    labels: Annotated[
        Path,
        typer.Option(
            help="CSV with the columns file and label, and patient if known; files are relative to FOLDER. Labels: "
            "normal, pneumonia, covid19, in the usual spellings.",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for report and bundle.", show_default=False)],
    bundle: BundlePath = DEFAULT_BUNDLE,
    name: Annotated[
        str,
        typer.Option(help="Name of the site, shown in every answer; by default the folder's name.", show_default=False),
    ] = "",
    words: Annotated[
        list[str] | None, typer.Option("--label", help="WORD=LABEL: your own word for a label.", show_default=False)
    ] = None,
    file_column: Annotated[str, typer.Option(help="Name of the CSV's column.")] = "",
    label_column: Annotated[str, typer.Option(help="Name of the CSV's column.")] = "",
    patient_column: Annotated[str, typer.Option(help="Name of the CSV's column.")] = "",
    cases: Annotated[int, typer.Option(min=0, help="Number of worst cases that the report shows with their maps.")] = 6,
) -> None:
    """Test a model on a hospital's own labelled radiographs, and recalibrate it for them.

    Writes report.html and site.json. With enough images it also writes a bundle with the temperature and thresholds of
    this site; serve it with CXR_BUNDLE. Nothing leaves this machine. The report contains radiographs: protect it as you
    protect them.
    """
    from cxr.json_file import write_json
    from evaluation.gallery import worst_cases
    from reporting.html import html
    from reporting.site_report.page import site_report
    from study.site.acceptance import ADAPTER, accept, provenance
    from study.site.images import read_site
    from study.site.recalibrate import write_bundle
    from training.prepare.label_words import own_words
    from training.prepare.listed import Columns, read_listed

    with failing_cleanly():
        loaded, called = Bundle(bundle), name or _name(folder)
        columns = Columns(file_column, label_column, patient_column)
        collection = read_listed(folder, labels, columns, called, own_words(words or []), patients=False)
        images = read_site(loaded, folder, collection, called, lambda some: track(some, "reading", console=err))
        tested = accept(loaded, called, images)
        found = tested.acceptance
        output.mkdir(parents=True, exist_ok=True)
        write_json(ADAPTER, output / "site.json", found)
        written = [output / "report.html", output / "site.json"]
        if found.fitted is not None:
            where = provenance(loaded, tested, images, sha256(labels.read_bytes()))
            recalibrated = write_bundle(loaded, where, found.fitted, output / "bundle")
            written.append(recalibrated.root)
        pictured = worst_cases(loaded, folder, images.rows, tested.posterior, cases)
        document = site_report(found, loaded, pictured)
        (output / "report.html").write_text(html(document), encoding="utf-8")
    _say(found)
    typer.echo(f"Written: {', '.join(map(str, written))}")
    disclaim()


def _name(folder: Path) -> str:
    """A folder's name, reduced to the characters that a bundle allows."""
    return re.sub("[^a-z0-9_.-]+", "-", folder.resolve().name.lower()).strip("_.-")[:32] or "site"


def _say(found: "Acceptance") -> None:
    counts = ", ".join(f"{count} {DISPLAY_NAMES[label]}" for label, count in found.counts.items())
    table = Table(title=f"{found.bundle} {found.version} at {found.site}: {counts}")
    for title in ("May it …", "here", "why"):
        table.add_column(title)
    for use in found.uses:
        table.add_row(use.use, use.answer, use.why)
    out.print(table)
    for reason, count in found.left_out.items():
        complain(f"left out: {count} × {reason}")
    for need in found.needs:
        if need.missing:
            complain(f"{need.figure}: {need.missing} more images needed ({need.images}; {need.has} of {need.needs})")
