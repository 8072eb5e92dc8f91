"""`cxr marks`."""

from typing import Annotated, Literal

import typer

from cli.output import BundlePath, DataPath, err, failing_cleanly
from cxr.labels import DISCLAIMER
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle


def marks(
    split: Annotated[
        Literal["val", "test"], typer.Option(help="Split to measure on; never use test to choose anything.")
    ] = "val",
    slow: Annotated[
        int,
        typer.Option(
            min=0, help="Number of marked images for integrated gradients and occlusion, which take seconds per image."
        ),
    ] = 60,
    bundle: BundlePath = DEFAULT_BUNDLE,
    data: DataPath = None,
) -> None:
    """Compare a bundle's maps with radiologists' boxes. Figures go to evaluation.json, card, report and bundle.json.

    bundle.json stores how often a map's strongest point lies in a box, so that explanations can state it.
    """
    from evaluation.evaluation_file import BundleEvaluation
    from evaluation.maps.marked import against_marks, pointing
    from reporting.build import report
    from reporting.card import write_card
    from reporting.document import Document
    from reporting.html import html
    from reporting.maps.marks import marks_section
    from reporting.markdown import markdown
    from training.data import DEFAULT_DATA

    with failing_cleanly():
        loaded = Bundle(bundle)
        found = against_marks(loaded, data or DEFAULT_DATA, split, slow)
        if not found:
            err.print("No image of this split has boxes to compare the maps with.")
            raise typer.Exit(1)
        manifest = loaded.manifest.model_copy(update={"pointing": pointing(found, loaded)})
        (bundle / "bundle.json").write_text(manifest.model_dump_json(indent=2) + "\n")
        evaluation = BundleEvaluation.read(Bundle(bundle)).with_marks(found)
        evaluation.write()
        page = report(evaluation)
        (bundle / "report.html").write_text(html(page), encoding="utf-8")
        written = [bundle / "bundle.json", bundle / "evaluation.json", write_card(evaluation), bundle / "report.html"]
    typer.echo(markdown(Document("Maps and marks", DISCLAIMER, (marks_section(found),))))
    typer.echo(f"Written: {', '.join(map(str, written))}")
