"""How much of a map's evidence lies in the lungs, over validation images of the default bundle.

    python -m scripts.evidence_in_lungs --images 300 --sheet /tmp/twenty.png

The script measures the positive evidence for the predicted label, by the explaining member. Images without segmented
lungs are left out, and so are maps without evidence, which the second head often gives. An uninformative map would have
the lungs' share of the area. Intervals come from a bootstrap by patient. The sheet shows the first twenty images, one
row each: radiograph and maps.
"""

from collections import defaultdict
from pathlib import Path
from typing import Final

import numpy as np
import typer
from PIL import Image
from rich.progress import track

from attribution.explain import Explainer
from cxr.arrays import Floats
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle
from cxr.pipeline import Classifier
from cxr.report.explanation import Method
from cxr.report.pictures import Drawing
from evaluation import metrics
from evaluation.bootstrap import Resampling
from evaluation.figure import Figure
from training.data import DEFAULT_DATA, hashed_order, read_table

METHODS: Final[tuple[Method, ...]] = ("gradcam", "gradcam_plus_plus", "lrp", "opacity")
SHOWN: Final = 20  # number of images on the sheet
WIDTH: Final = 900  # side of each picture, in pixels


def main(
    images: int = 300, sheet: Path | None = None, bundle: Path = DEFAULT_BUNDLE, data: Path = DEFAULT_DATA
) -> None:
    """Print a Markdown table with a row for each method."""
    served = Bundle(bundle)
    classifier, explainer = Classifier(served, precision="float32"), Explainer(served)
    val = [row for row in read_table(data) if row.split == "val"]
    rows = [val[index] for index in hashed_order(val)][:images]
    shares: defaultdict[str, list[tuple[float, float, str]]] = defaultdict(list)
    pictures: list[Image.Image] = []
    for row in track(rows, "explaining", transient=True):
        content = (data / row.file).read_bytes()
        finding = classifier.classify(content)
        if sheet and len(pictures) < SHOWN:
            pictures.append(explainer.panel(content, finding, "predicted", methods=METHODS).overlay)
        for method in METHODS:
            made = explainer.explain(content, finding, "predicted", method, drawing=Drawing.named("none"))
            if not made.no_lungs and any(zone.share for zone in made.zones):
                inside = [zone for zone in made.zones if zone.zone not in ("mediastinum", "outside")]
                share, area = sum(zone.share for zone in inside), sum(zone.area for zone in inside)
                shares[method].append((share, area, row.patient))
    typer.echo("| map | images | evidence in the lungs | area of the lungs |\n| --- | --- | --- | --- |")
    for name, values in shares.items():
        evidence, lungs = _means(values)
        typer.echo(f"| {name} | {len(values)} | {evidence} | {lungs} |")
    if sheet:
        _stack(pictures).save(sheet)


def _means(values: list[tuple[float, float, str]]) -> tuple[Figure, Figure]:
    """Means, with intervals, of the shares of evidence and of area."""
    shares, areas = (np.array([value[i] for value in values]) for i in (0, 1))

    def figures(weights: Floats) -> dict[str, Floats]:
        return {"share": metrics.mean(shares, weights), "area": metrics.mean(areas, weights)}

    found = Resampling([patient for *_, patient in values]).measure(figures)
    return found["share"], found["area"]


def _stack(pictures: list[Image.Image]) -> Image.Image:
    """Stack pictures vertically."""
    small = [picture.resize((WIDTH, picture.height * WIDTH // picture.width)) for picture in pictures]
    whole = Image.new("RGB", (WIDTH, sum(picture.height for picture in small)))
    top = 0
    for picture in small:
        whole.paste(picture, (0, top))
        top += picture.height
    return whole


if __name__ == "__main__":
    typer.run(main)
