"""A bundle's maps compared with radiologists' marks."""

from collections.abc import Iterator, Sequence
from typing import Final

from cxr.report.explanation import METHOD_NAMES
from evaluation.maps.baselines import CONSTANT, NAMES
from evaluation.maps.marked import CLAIMANT, RIVALS, Marked
from evaluation.maps.marks import MEASURES
from evaluation.maps.on_radiograph import HEAD, SLOW
from reporting.document import Block, Items, Section, Table, Text
from reporting.measured import SPLIT_NAMES

TITLES: Final = {
    "pointing": "strongest point in a box",
    "energy": "evidence in boxes / area",
    "iou": "best IoU",
    "dice": "best Dice",
    "auprc": "AUPRC",
}
ENOUGH: Final = 3  # number of measures in which a method must be better to support the claim
ABOUT: Final = (
    "Radiologists have drawn boxes around opacities on images of these sources. Each map explains the image's own "
    "label and is compared with the boxes by the rules of docs/marks.md. A method must beat the mean box map, which is "
    "the same for every image."
)


def marks_section(found: Sequence[Marked]) -> Section:
    """A table for each network and source, and the conclusions."""
    return Section("Do the maps show what radiologists marked?", tuple(_blocks(found)))


def _blocks(found: Sequence[Marked]) -> Iterator[Block]:
    yield Text(ABOUT)
    for one in found:
        yield _table(one)
        if any(_partly(one, key) for key in SLOW):
            yield _of_subset(one)
        yield Items(tuple(_readings(one)))


def _table(found: Marked) -> Table:
    partly = any(_partly(found, key) for key in SLOW)
    stars = f" * on a random subset of {found.subset} images." if partly else ""
    caption = (
        f"{found.network} (frame {found.frame}), {SPLIT_NAMES[found.split].lower()}, {found.source}: {found.images:,} "
        f"images of {found.patients:,} patients, 95 % intervals by patients.{stars}"
    )
    return _rows(found, "", caption)


def _of_subset(found: Marked) -> Table:
    """All maps on the images that slow methods were measured on."""
    caption = (
        f"The same for the {found.subset} images of {found.source} on which integrated gradients and occlusion were "
        "measured, to compare all methods on the same images."
    )
    return _rows(found, "subset/", caption)


def _rows(found: Marked, of: str, caption: str) -> Table:
    rows = tuple(
        (
            f"{name}{'*' if not of and _partly(found, key) else ''}",
            *(str(found.figures[f"{of}{key}/{measure}"]) for measure in MEASURES),
        )
        for key, name in (METHOD_NAMES | NAMES).items()
        if f"{of}{key}/pointing" in found.figures
    )
    return Table(("map", *TITLES.values()), rows, caption)


def _partly(found: Marked, key: str) -> bool:
    """Whether a map was measured only on the subset."""
    return key in SLOW and f"{key}/pointing" in found.figures and found.subset < found.images


def _readings(found: Marked) -> Iterator[str]:
    head = found.figures.get(f"{HEAD}-{CONSTANT}/pointing")
    if head and "boxes/ap" in found.figures:
        yield f"Opacity head minus mean box map, strongest point in a box: {head}."
        yield (
            f"Average precision of the opacity head's boxes at an IoU of 0.5: {found.figures['boxes/ap']} with "
            f"{found.normals:,} normal images, {found.figures['boxes/ap_marked']} without."
        )
    for key in (key for key in METHOD_NAMES if key in SLOW and f"{key}/pointing" in found.figures):
        difference = found.figures[f"{key}-{CONSTANT}/pointing"]
        yield f"{METHOD_NAMES[key]} minus mean box map, on the same images, strongest point in a box: {difference}."
    gains = {key: found.figures.get(f"gain/{key}/pointing") for key in METHOD_NAMES}
    if any(gains.values()):
        said = "; ".join(f"{METHOD_NAMES[key]} {figure}" for key, figure in gains.items() if figure)
        yield f"Gain over the same map of the full-frame network, strongest point in a box: {said}."
    yield from _claim(found)


def _claim(found: Marked) -> Iterator[str]:
    """How the paper's preferred method differs from the others by measure, and whether its claim holds (rule 11)."""
    holds = True
    for rival in RIVALS:
        signs = {measure: _sign(found, f"{CLAIMANT}-{rival}/{measure}") for measure in MEASURES}
        better, worse = ([TITLES[m] for m, sign in signs.items() if sign == wanted] for wanted in (1, -1))
        holds = holds and len(better) >= ENOUGH and not worse
        yield (
            f"{METHOD_NAMES[CLAIMANT]} compared with {METHOD_NAMES[rival]}: better in {', '.join(better) or 'none'}; "
            f"worse in {', '.join(worse) or 'none'}; undecided in the other measures."
        )
    outcome = "support" if holds else "do not support"
    yield f"So these images {outcome} the paper's claim that Grad-CAM++ is the most reliable of its three methods."


def _sign(found: Marked, name: str) -> int:
    figure = found.figures[name]
    if figure.low is None or figure.high is None:
        return 0
    return int(figure.low > 0) - int(figure.high < 0)
