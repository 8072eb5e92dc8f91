"""The section about maps: every figure in its place, and the verdict."""

import numpy as np
import pytest

from evaluation.maps.quality import CRITERIA, METHOD_NAMES, Explanations
from reporting.document import Items, Picture, Table
from reporting.maps.quality import DRAWN, maps_section

SLOW = ("integrated gradients", "occlusion")


@pytest.fixture(scope="module")
def found() -> Explanations:
    """Synthetic figures. Conservation is only for LRP, and two criteria only for fast methods."""
    rng = np.random.default_rng(0)
    values = {
        f"{method}/{name}": rng.normal(place / 10, 0.1, 40)
        for place, method in enumerate(METHOD_NAMES)
        for name in CRITERIA
        if name != "conservation" or method == "lrp"
        if name not in ("sensitivity", "randomised") or METHOD_NAMES[method] not in SLOW
    }
    return Explanations.of(
        values, [f"{i // 2}" for i in range(40)], architecture="resnet18", lungs=39, device="CPU", seconds=12.0
    )


def test_the_table_has_a_row_a_criterion_and_a_column_a_method(found: Explanations) -> None:
    table = next(block for block in maps_section(found).blocks if isinstance(block, Table))
    assert table.header == ("criterion", "Grad-CAM++", "Grad-CAM", "LRP", *SLOW, "random map", "centred Gaussian")
    assert len(table.rows) == len(CRITERIA)
    aopc = next(row for row in table.rows if row[0].startswith("AOPC"))
    assert aopc[3] == str(found.figures["lrp/aopc"])
    assert table.rows[-1][1:] == ("", "", str(found.figures["lrp/conservation"]), *[""] * 4)
    assert "40 validation images of 20 patients" in table.caption
    assert "lungs known in 39" in table.caption


def test_the_picture_names_methods_and_directions(found: Explanations) -> None:
    picture = next(block for block in maps_section(found).blocks if isinstance(block, Picture))
    for name in METHOD_NAMES.values():
        assert f"<!-- {name} -->" in picture.svg
    arrows = {"higher": "→", "lower": "←"}
    for name in DRAWN:
        assert f"<!-- {CRITERIA[name].title} {arrows[CRITERIA[name].better]} -->" in picture.svg.replace("&gt;", ">")


def test_the_verdict_is_the_explanations(found: Explanations) -> None:
    items = next(block for block in maps_section(found).blocks if isinstance(block, Items))
    assert items.items == tuple(found.verdict())
    assert maps_section(found).title.endswith("resnet18?")
