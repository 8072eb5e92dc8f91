"""The gate's figures: the other images that it rejects, and the radiographs that it wrongly rejects."""

from collections.abc import Iterator, Sequence
from typing import Final

from evaluation.gate import GateCheck
from reporting.document import Block, Section, Table, Text

KIND_NAMES: Final = {
    "turned": "rotated by 90°",
    "upside_down": "upside down",
    "negative": "a negative",
    "cropped": "less than half of the lungs",
    "collaged": "several radiographs in one",
    "screenshot": "a screenshot",
    "noisy": "mostly noise",
    "picture": "photographs, textures, brain slices",
    "drawing": "drawings of limbs, teeth, slices, ultrasound",
    "slice": "drawn slices of heads and trunks, as CT and MR show them",
}
WHOSE: Final = {
    "source": "patients that the gate has not learnt from",
    "left out": "no image of the source in training",
    "elsewhere": "another hospital: in no split",
}


def gate_section(found: Sequence[GateCheck]) -> Section:
    """The section about the gate."""
    return Section("What is no upright chest radiograph?", tuple(_blocks(found)))


def _blocks(found: Sequence[GateCheck]) -> Iterator[Block]:
    yield Text(
        "A small network judges each image before it is classified; `CXR_GATE` sets what follows from its verdict. All "
        "figures are cross-fitted on training and validation images: each image is judged by a gate that was trained "
        "without its patient's images and without images made from them."
    )
    strangers = (one for one in found if one.of == "strangers")
    rows = ((KIND_NAMES[one.name], f"{one.images:,}", *_cells(one, "auroc", "let_in")) for one in strangers)
    yield Table(("images", "number", "AUROC against radiographs", "let in"), tuple(rows))
    yield Table(
        ("source", "images", *WHOSE.values()), tuple(_sources(found)), "Shares of radiographs wrongly rejected."
    )


def _sources(found: Sequence[GateCheck]) -> Iterator[tuple[str, ...]]:
    known = [one for one in found if one.of != "strangers"]
    for name in dict.fromkeys(one.name for one in known):
        its = {one.of: one for one in known if one.name == name}
        images = next(iter(its.values())).images
        yield name, f"{images:,}", *(str(its[of].figures["kept_out"]) if of in its else "–" for of in WHOSE)


def _cells(one: GateCheck, *names: str) -> Iterator[str]:
    return (str(one.figures[name]) for name in names)
