"""The figure of docs/radiologist.md: radiologists' boxes and maps over outlines of lungs, without any radiograph.

    python -m scripts.marks_figure -o docs/marks.svg

It shows the validation images of a source with the smallest file hashes, and in the last panel the strongest points of
the maps of all its marked images.
"""

from pathlib import Path
from typing import Annotated, Any, Final

import cv2
import numpy as np
import typer
from matplotlib.patches import Rectangle

from cxr.arrays import Mask
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle
from cxr.report.explanation import METHOD_NAMES, Method
from evaluation.maps.baselines import GRID, Maps
from evaluation.maps.marked import Subjects, marked_images
from evaluation.maps.on_radiograph import maps_of
from networks.architectures import load_member
from reporting.style import ACCENT, COLOURS, INK, SECOND, SOFT, panels, svg
from training.data import DEFAULT_DATA, hashed_order

SHOWN: Final[tuple[Method, ...]] = ("gradcam_plus_plus", "opacity")
COLUMNS: Final = 4
LEVELS: Final = (0.5, 0.75, 1.0)  # levels, as shares of a map's maximum: first a light fill, then a darker one
MISS: Final = COLOURS["covid19"]


def main(
    output: Annotated[Path, typer.Option("-o", "--output", help="The SVG file to write.")],
    bundle: Path = DEFAULT_BUNDLE,
    data: Path = DEFAULT_DATA,
    source: str = "siim",
) -> None:
    """Draw the figure, and print how many points lie in a box."""
    loaded = Bundle(bundle)
    subjects = _of(marked_images(loaded, data, "val", slow=0), source)
    member, rows = loaded.explainer, subjects.images.rows
    network, images = load_member(loaded, member), subjects.images.of(member.frame)
    maps = {method: maps_of(network, method, images, subjects.places[member.frame]) for method in SHOWN}
    chosen = hashed_order(rows)[:COLUMNS]
    with panels(COLUMNS + 1, rows=len(SHOWN), width=11.0, height=5.2) as (figure, axes):
        for line, method in zip(axes, SHOWN, strict=True):
            for axis, index in zip(line, chosen, strict=False):
                _draw_one(axis, subjects, maps[method], index)
            hits = _draw_points(line[-1], subjects, maps[method])
            line[-1].set_title(f"{hits} of {len(rows)} in a box", fontsize=9)
            line[0].set_ylabel(METHOD_NAMES[method], fontsize=10)
            typer.echo(f"{METHOD_NAMES[method]}: {hits} of {len(rows)} in a box")
        drawn = svg(figure)
    output.write_text(drawn)


def _of(subjects: Subjects, source: str) -> Subjects:
    """The marked images of a source."""
    pairs = zip(subjects.images.rows, subjects.positive.tolist(), strict=True)
    kept = np.array([positive and row.source == source for row, positive in pairs])
    places = {
        frame: tuple(place for place, one in zip(its, kept, strict=True) if one)
        for frame, its in subjects.places.items()
    }
    images = subjects.images.where(kept.tolist())
    slow, lungs, marked = subjects.slow[kept], subjects.lungs[kept], subjects.marked[kept]
    return Subjects(images, places, lungs, marked, slow, subjects.boxes)


def _draw_one(axis: Any, subjects: Subjects, maps: Maps, index: int) -> None:
    """Lungs, the map's strongest regions, its strongest point, and the boxes."""
    _empty(axis)
    _outline(axis, subjects.lungs[index].astype(np.float32))
    heatmap = maps[index]
    if heatmap.max() > 0:
        ends = (np.arange(GRID) + 0.5) / GRID
        axis.contourf(ends, ends, heatmap / heatmap.max(), levels=LEVELS, colors=[ACCENT, ACCENT], alpha=0.35)
        x, y, _ = _strongest(heatmap, subjects.marked[index])
        axis.plot([x], [y], "+", color=INK, ms=9, mew=2)
    for left, top, width, height in subjects.boxes[subjects.images.rows[index].file]:
        axis.add_patch(Rectangle((left, top), width, height, fill=False, ec=SECOND, lw=1.8))


def _draw_points(axis: Any, subjects: Subjects, maps: Maps) -> int:
    """Draw each image's strongest point over the mean lungs. Returns how many lie in a box."""
    _empty(axis)
    _outline(axis, subjects.lungs.mean(axis=0).astype(np.float32))
    points = [
        _strongest(heatmap, inside) for heatmap, inside in zip(maps, subjects.marked, strict=True) if heatmap.any()
    ]
    for x, y, hit in points:
        axis.plot([x], [y], "o" if hit else "x", color=ACCENT if hit else MISS, ms=3.5, alpha=0.6)
    return sum(hit for *_, hit in points)


def _strongest(heatmap: np.ndarray[tuple[int, int], np.dtype[np.float32]], inside: Mask) -> tuple[float, float, bool]:
    row, column = divmod(int(heatmap.argmax()), GRID)
    return (column + 0.5) / GRID, (row + 0.5) / GRID, bool(inside[row, column])


def _outline(axis: Any, lungs: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> None:
    smooth = cv2.GaussianBlur(lungs, (0, 0), sigmaX=1.0)
    ends = (np.arange(len(smooth)) + 0.5) / len(smooth)
    axis.contour(ends, ends, smooth, levels=[0.5], colors=[SOFT], linewidths=1.5)


def _empty(axis: Any) -> None:
    axis.set(xlim=(0, 1), ylim=(1, 0), xticks=[], yticks=[], aspect="equal")
    axis.grid(False)


if __name__ == "__main__":
    typer.run(main)
