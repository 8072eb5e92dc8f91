"""A bundle with random weights compared with boxes: the set of figures, and their values."""

from pathlib import Path

import numpy as np
import pytest

from cxr.model.bundle import Bundle, Pointing
from cxr.report.explanation import METHODS
from evaluation.evaluation_file import BundleEvaluation
from evaluation.maps.baselines import CONSTANT, GRID, NAMES, baselines, mean_boxes
from evaluation.maps.marked import Marked, Values, against_marks, differences, pointing
from evaluation.maps.marks import MEASURES
from evaluation.maps.on_radiograph import HEAD, SLOW
from reporting.document import Items, Table
from reporting.maps.marks import marks_section
from tests.attribution.networks import coarse
from tests.evaluation.maps.boxed import write_boxed
from training.opacities import read_boxes

SHOWN = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six validation images with a box, three normal ones, two training images with the same box; and boxes.csv."""
    return write_boxed(tmp_path_factory.mktemp("marked"), SHOWN, normals=3)


@pytest.fixture(scope="module")
def found(bundle: Bundle, folder: Path) -> tuple[Marked, ...]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.data.DEFAULT_CACHE", folder / "cache")
        coarse(patch)
        return against_marks(bundle, folder, "val", slow=2)


def test_the_mean_of_the_boxes_is_the_box_where_all_are_alike(folder: Path) -> None:
    mean = mean_boxes(folder, read_boxes(folder))
    assert set(np.unique(mean)) == {0, 1}
    assert mean.sum() == GRID**2 / 8
    lungs = np.zeros((2, 8, 8), bool)
    lungs[0, :4] = True
    made = baselines(lungs, mean)
    assert set(made) == set(NAMES)
    assert all(maps.shape == (2, GRID, GRID) for maps in made.values())
    assert made["lungs"][0].mean() == 0.5
    assert made["lungs"][1].mean() == 1, "where there are no lungs the whole image is taken"


def test_both_networks_are_judged_and_every_method_that_each_has(found: tuple[Marked, ...], bundle: Bundle) -> None:
    assert [one.network for one in found] == [member.name for member in bundle.manifest.members]
    for one, member in zip(found, bundle.manifest.members, strict=True):
        assert (one.source, one.images, one.patients, one.normals, one.subset) == ("siim", SHOWN, 3, 3, 2)
        had = {method for method in METHODS if f"{method}/pointing" in one.figures}
        assert had == (set(METHODS) if member.opacity_head else set(METHODS) - {"opacity"})
        assert {f"{name}/{measure}" for name in NAMES for measure in MEASURES} <= set(one.figures)
        assert ("boxes/ap" in one.figures) == member.opacity_head


def test_a_constant_that_is_the_box_is_right_always_and_nothing_beats_it(found: tuple[Marked, ...]) -> None:
    for one in found:
        assert one.figures[f"{CONSTANT}/iou"].value == 1
        assert one.figures[f"{CONSTANT}/energy"].value == pytest.approx(8, abs=0.01)
        assert (one.figures[f"gradcam-{CONSTANT}/energy"].value or 0) < 0


def test_slow_methods_are_measured_on_the_subset_alone(found: tuple[Marked, ...]) -> None:
    figures = found[0].figures
    for method in METHODS:
        same = figures[f"{method}/energy"] == figures[f"subset/{method}/energy"]
        assert same or method not in SLOW


def test_the_figures_that_the_bundle_stores(found: tuple[Marked, ...], bundle: Bundle) -> None:
    told = pointing(found, bundle)
    assert isinstance(told, Pointing)
    assert set(told.hits) == set(METHODS)
    assert told.constant == found[0].figures[f"{CONSTANT}/pointing"].value
    assert pointing((), bundle) is None


def test_figures_survive_the_file_and_replace_those_of_their_split(found: tuple[Marked, ...], copy: Path) -> None:
    bundle = Bundle(copy)
    BundleEvaluation.read(bundle).with_marks(found).with_marks(found).write()
    assert BundleEvaluation.read(bundle).marks == found


def test_the_section_has_a_row_a_map_and_the_claim(found: tuple[Marked, ...]) -> None:
    blocks = marks_section(found).blocks
    tables = [block for block in blocks if isinstance(block, Table)]
    every, without_head = len(METHODS) + len(NAMES), len(METHODS) - 1 + len(NAMES)
    assert [len(table.rows) for table in tables] == [every, every, without_head, without_head]
    assert "6 images of 3 patients" in tables[0].caption
    assert "* on a random subset of 2 images" in tables[0].caption
    assert "the 2 images of siim" in tables[1].caption
    assert [row[0] for row in tables[0].rows if row[0].endswith("*")] == ["Integrated gradients*", "Occlusion*"]
    assert tables[1].rows[0][:2] == ("Grad-CAM", str(found[0].figures["subset/gradcam/pointing"]))
    said = " ".join(item for block in blocks if isinstance(block, Items) for item in block.items)
    assert "Average precision" in said
    assert "Occlusion minus mean box map, on the same images" in said
    assert "do not support the paper's claim" in said


def test_a_folder_without_boxes_has_no_figures(bundle: Bundle, folder: Path, tmp_path: Path) -> None:
    for name in ("metadata.csv", "images"):
        (tmp_path / name).symlink_to(folder / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.data.DEFAULT_CACHE", tmp_path / "cache")
        assert against_marks(bundle, tmp_path, "val", slow=2) == ()


def test_without_slow_methods_the_others_are_compared_all_the_same() -> None:
    fast = set(METHODS) - SLOW
    values = Values({f"{name}/{measure}": np.ones(2) for name in (*fast, CONSTANT) for measure in MEASURES})
    found = differences(values)
    assert f"{HEAD}-{CONSTANT}/pointing" in found
    assert not [name for name in found if any(slow in name for slow in SLOW)]
