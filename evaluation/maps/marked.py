"""Compare the maps of a bundle's networks with radiologists' boxes, by the rules of docs/marks.md."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from cxr.anatomy.boxes import opacity_regions
from cxr.arrays import Floats, Mask
from cxr.model.bundle import Bundle, Member, Pointing
from cxr.model.frames import FULL, Placement, placement
from cxr.report.explanation import METHODS, Method
from evaluation.bootstrap import Resampling, means_of
from evaluation.bundle_images import BundleImages, bundle_images
from evaluation.figure import Figure
from evaluation.maps.baselines import CONSTANT, GRID, Maps, baselines, mean_boxes
from evaluation.maps.detection import Found, average_precision
from evaluation.maps.marks import MEASURES, measures
from evaluation.maps.on_radiograph import HEAD, SLOW, maps_of, opacities_of
from networks.architectures import load_member
from training.data import Row, read_table
from training.lungs.mask_file import find_masks
from training.opacities import NORMAL, Boxes, covered_by_boxes, read_boxes

CLAIMANT: Final[Method] = "gradcam_plus_plus"
RIVALS: Final[tuple[Method, ...]] = ("gradcam", "lrp")

Values = dict[str, Floats]
"""`<map>/<measure>` → values [N], NaN for images that were not measured."""


@dataclass(frozen=True, slots=True)
class Marked:
    """The agreement of one network's maps with the marks on one source's images.

    `figures` are means over images, with intervals by patients:

        <map>/<measure>           of one kind of map
        <map>-<other>/<measure>   of the differences between two maps of the same image
        subset/<map>/<measure>    over the `subset` images on which slow methods were measured
        gain/<map>/<measure>      of the differences to the same map of the full-frame network
        boxes/ap, boxes/ap_marked the average precision of the second head's boxes, with and without the `normals`
    """

    network: str
    frame: str
    split: Literal["val", "test"]
    source: str
    images: int
    patients: int
    subset: int
    normals: int
    figures: dict[str, Figure]


@dataclass(frozen=True, slots=True)
class Subjects:
    """The marked images, and the normal images of the same sources.

    places: the place of each frame on each image
    lungs:  [N, S, S] masks
    marked: [N, GRID, GRID] marked cells, none in normal images
    slow:   [N] whether slow methods are measured on the image
    """

    images: BundleImages
    places: Mapping[str, tuple[Placement, ...]]
    lungs: Mask
    marked: Mask
    slow: Mask
    boxes: Boxes

    @property
    def positive(self) -> Mask:
        """[N] whether an image is marked."""
        return np.asarray(self.marked.any(axis=(1, 2)))


def against_marks(bundle: Bundle, folder: Path, split: Literal["val", "test"], slow: int) -> tuple[Marked, ...]:
    """All figures of a bundle: of its explaining member, and of a member that sees the full frame.

    Args:
        bundle: exported.
        folder: folder of a data set; without boxes.csv there are no figures.
        split: the split to measure.
        slow: number of marked images on which the slow methods are measured.
    """
    subjects = marked_images(bundle, folder, split, slow)
    if not subjects.positive.any():
        return ()
    positive, mean = subjects.positive, mean_boxes(folder, subjects.boxes)
    constant: Values = {}
    for name, maps in baselines(subjects.lungs[positive], mean).items():
        constant |= _measured(name, maps, subjects, positive)
    judged = [(member, constant | _of_methods(bundle, member, subjects)) for member in _judged(bundle)]
    whole = next((values for member, values in judged if member.frame == FULL), {})
    found: list[Marked] = []
    for member, values in judged:
        gains = {} if member.frame == FULL else _gains(values, whole)
        every = values | differences(values) | _of_subset(values, subjects) | gains
        found += _by_source(member, split, subjects, every, _boxes(bundle, member, subjects))
    return tuple(found)


def pointing(found: Sequence[Marked], bundle: Bundle) -> Pointing | None:
    """The figures for bundle.json: the explaining member's on the source with most marks. None without marks."""
    best = max((one for one in found if one.network == bundle.explainer.name), key=lambda one: one.images, default=None)
    if best is None:
        return None
    shares = {name: best.figures[f"{name}/pointing"].value for name in (*METHODS, CONSTANT) if _has(best, name)}
    known = {name: value for name, value in shares.items() if value is not None}
    constant = known.pop(CONSTANT)
    return Pointing(split=best.split, source=best.source, images=best.images, hits=dict(known), constant=constant)


def _has(found: Marked, name: str) -> bool:
    return f"{name}/pointing" in found.figures


def marked_images(bundle: Bundle, folder: Path, split: Literal["val", "test"], slow: int) -> Subjects:
    """A split's images with boxes, and the normal images of their sources.

    `slow`: number of images with boxes for the slow methods, drawn with seed 0.
    """
    boxes, rows = read_boxes(folder), [row for row in read_table(folder) if row.split == split]
    sources = {row.source for row in rows if boxes.get(row.file)}
    images = bundle_images(bundle, folder, split)
    images = images.where(
        bool(boxes.get(row.file)) or (row.label == NORMAL and row.source in sources) for row in images.rows
    )
    files = [row.file for row in images.rows]
    masks = find_masks(bundle, folder, files) if bundle.manifest.lungs and files else {}
    places = {frame: tuple(placement(frame, masks.get(file)) for file in files) for frame in bundle.manifest.frames}
    lungs = np.stack([masks.get(file, np.ones((GRID, GRID), bool)) for file in files]) if files else np.zeros(0, bool)
    marked = covered_by_boxes(images.rows, boxes, GRID).astype(bool)
    positive = np.flatnonzero(marked.any(axis=(1, 2)))
    drawn = np.zeros(len(files), bool)
    drawn[np.random.default_rng(0).permutation(positive)[:slow]] = True
    return Subjects(images, places, lungs, marked, drawn, boxes)


def _judged(bundle: Bundle) -> list[Member]:
    others = [m for m in bundle.manifest.members if m.frame == FULL and m.name != bundle.explainer.name]
    return [bundle.explainer, *others[:1]]


def _of_methods(bundle: Bundle, member: Member, subjects: Subjects) -> Values:
    """The measures of each method of a member; NaN for images that a slow method skipped."""
    network, values = load_member(bundle, member), Values()
    for method in METHODS:
        if method == HEAD and not member.opacity_head:
            continue
        chosen = subjects.slow if method in SLOW else subjects.positive
        if not chosen.any():
            continue
        places = [place for place, kept in zip(subjects.places[member.frame], chosen, strict=True) if kept]
        maps = maps_of(network, method, subjects.images.where(chosen.tolist()).of(member.frame), places)
        values |= _measured(method, maps, subjects, chosen)
    return values


def _measured(name: str, maps: Maps, subjects: Subjects, chosen: Mask) -> Values:
    """Measures [N] of all subjects, from maps of the chosen ones; NaN for the others."""
    values = Values()
    for measure, found in measures(maps, subjects.marked[chosen]).items():
        values[f"{name}/{measure}"] = np.full(len(chosen), np.nan)
        values[f"{name}/{measure}"][chosen] = found
    return values


def _boxes(bundle: Bundle, member: Member, subjects: Subjects) -> list[list[Found]]:
    """The second head's boxes on every subject; empty if the member has no second head."""
    if not member.opacity_head:
        return [[] for _ in subjects.images.rows]
    maps = opacities_of(load_member(bundle, member), subjects.images.of(member.frame))
    pairs = zip(maps, subjects.places[member.frame], strict=True)
    return [[Found(*region) for region in opacity_regions(heatmap, place)] for heatmap, place in pairs]


def differences(values: Values) -> Values:
    """Differences image by image.

    Each method minus the constant baseline, Grad-CAM++ minus the other methods, and the second head minus Grad-CAM++.
    """
    pairs = [(method, CONSTANT) for method in METHODS]
    pairs += [(CLAIMANT, rival) for rival in RIVALS] + [(HEAD, other) for other in METHODS if other != HEAD]
    return {
        f"{one}-{other}/{measure}": values[f"{one}/{measure}"] - values[f"{other}/{measure}"]
        for one, other in pairs
        for measure in MEASURES
        if f"{one}/{measure}" in values and f"{other}/{measure}" in values
    }


def _of_subset(values: Values, subjects: Subjects) -> Values:
    """The same figures, only on the images of the slow methods; empty if there are none."""
    if not subjects.slow.any():
        return {}
    return {f"subset/{name}": np.where(subjects.slow, found, np.nan) for name, found in values.items()}


def _gains(values: Values, whole: Values) -> Values:
    return {
        f"gain/{method}/{measure}": values[f"{method}/{measure}"] - whole[f"{method}/{measure}"]
        for method in METHODS
        for measure in MEASURES
        if f"{method}/{measure}" in values and f"{method}/{measure}" in whole
    }


def _by_source(
    member: Member, split: Literal["val", "test"], subjects: Subjects, values: Values, found: list[list[Found]]
) -> Iterator[Marked]:
    rows, positive = subjects.images.rows, subjects.positive
    sources = np.array([row.source for row in rows])
    for source in np.unique(sources[positive]).tolist():
        its = sources == source
        kept = its & positive
        resampling = Resampling([row.patient for row, one in zip(rows, kept, strict=True) if one])
        figures = resampling.measure(means_of({name: value[kept] for name, value in values.items()}))
        figures |= _average_precisions(rows, subjects.boxes, found, its, kept) if member.opacity_head else {}
        yield Marked(
            network=member.name,
            frame=member.frame,
            split=split,
            source=source,
            images=int(kept.sum()),
            patients=resampling.patients,
            subset=int((kept & subjects.slow).sum()),
            normals=int((its & ~positive).sum()),
            figures=figures,
        )


def _average_precisions(
    rows: Sequence[Row], boxes: Boxes, found: list[list[Found]], its: Mask, kept: Mask
) -> dict[str, Figure]:
    """Average precision with and without the normal images of a source."""
    figures = {}
    for name, chosen in (("boxes/ap", its), ("boxes/ap_marked", kept)):
        numbers = np.flatnonzero(chosen).tolist()
        true = [list(boxes.get(rows[i].file, ())) for i in numbers]
        precision = average_precision([found[i] for i in numbers], true)
        figures[name] = Resampling([rows[i].patient for i in numbers]).measure(precision)["ap"]
    return figures
