"""Lungs: which masks are accepted as two lungs, and their position in a real radiograph."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cxr.anatomy.lungs import LungSegmenter, union
from cxr.anatomy.plausibility import Lungs, NoLungs, judge
from cxr.decode import decode
from cxr.errors import BundleError
from cxr.model.bundle import LUNGS_ONNX, Bundle
from cxr.model.preprocess import preprocess
from networks.unet import load_segmenter
from tests import files

SIDE = 128


def ellipses(*centres_and_axes: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    """A mask of upright ellipses: (x, y, half width, half height) each."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for x, y, width, height in centres_and_axes:
        cv2.ellipse(mask, (x, y), (width, height), 0, 0, 360, 1, cv2.FILLED)
    return mask.astype(bool)


RIGHT, LEFT = (38, 60, 18, 40), (92, 62, 16, 38)


def test_two_lungs_side_by_side_are_found_and_the_patients_right_is_on_the_left() -> None:
    lungs = judge(ellipses(RIGHT, LEFT))
    assert isinstance(lungs, Lungs)
    np.testing.assert_array_equal(lungs.right, ellipses(RIGHT))
    np.testing.assert_array_equal(lungs.left, ellipses(LEFT))


def test_specks_go_and_holes_are_filled() -> None:
    mask = ellipses(RIGHT, LEFT) | ellipses((64, 120, 3, 3))
    mask[55:60, 35:40] = False
    lungs = judge(mask)
    assert isinstance(lungs, Lungs)
    np.testing.assert_array_equal(lungs.right, ellipses(RIGHT))
    assert not lungs.left[115:].any()


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        (ellipses(), "too small or too large"),
        (ellipses((38, 60, 5, 20), (92, 60, 5, 20)), "too small or too large"),
        (np.ones((SIDE, SIDE), bool), "too small or too large"),
        (ellipses(RIGHT), "not in two parts"),
        (ellipses(RIGHT, LEFT, (64, 60, 30, 4)), "not in two parts"),
        (ellipses((38, 30, 30, 20), (92, 30, 20, 20), (60, 100, 20, 20)), "not in two parts"),
        (ellipses((64, 34, 40, 18), (62, 92, 40, 18)), "side by side"),
        (ellipses((30, 40, 18, 30), (98, 88, 18, 30)), "side by side"),
        (ellipses(RIGHT, (92, 62, 12, 20)), "too much in size"),
        (ellipses((32, 60, 28, 14), (96, 62, 28, 14)), "implausible shape"),
        (ellipses(RIGHT, LEFT) & ~ellipses((30, 60, 14, 34)), "implausible shape"),
    ],
)
def test_a_mask_without_two_lungs_has_a_reason(mask: NDArray[np.bool_], reason: str) -> None:
    found = judge(mask)
    assert isinstance(found, NoLungs)
    assert reason in found.reason


def test_a_mirrored_pair_is_a_pair() -> None:
    straight, mirrored = judge(ellipses(RIGHT, LEFT)), judge(ellipses(RIGHT, LEFT)[:, ::-1])
    assert isinstance(straight, Lungs)
    assert isinstance(mirrored, Lungs)
    np.testing.assert_array_equal(mirrored.right, straight.left[:, ::-1])


# --- With the shipped segmenter


@pytest.fixture(scope="module")
def segmenter(bundle: Bundle) -> LungSegmenter:
    assert bundle.manifest.lungs is not None
    return LungSegmenter(bundle, bundle.manifest.lungs)


@pytest.fixture(scope="module")
def chest() -> NDArray[np.uint8]:
    return decode(files.radiograph_dicom()).pixels


def test_lungs_of_a_real_radiograph(segmenter: LungSegmenter, chest: NDArray[np.uint8]) -> None:
    """RG1's lungs as read by eye: their centres, and points in lung, heart and shoulder."""
    lungs = segmenter.find(chest)
    assert isinstance(lungs, Lungs)
    side = len(lungs.right)
    for lung, centre in ((lungs.right, (0.25, 0.45)), (lungs.left, (0.70, 0.45))):
        rows, columns = np.nonzero(lung)
        assert (columns.mean() / side, rows.mean() / side) == pytest.approx(centre, abs=0.08)
    both = lungs.right | lungs.left
    assert both[int(0.3 * side), int(0.2 * side)]
    assert both[int(0.3 * side), int(0.75 * side)]
    assert not both[int(0.7 * side), int(0.5 * side)]
    assert not both[int(0.1 * side), int(0.05 * side)]


def test_the_mask_is_the_same_to_the_bit_whatever_else_runs(segmenter: LungSegmenter, chest: NDArray[np.uint8]) -> None:
    """The mask is part of the pre-processing of a bundle with a lung frame."""
    alone = union(segmenter.find(chest))
    assert alone is not None
    with ThreadPoolExecutor(8) as pool:
        for mask in pool.map(lambda _: union(segmenter.find(chest)), range(24)):
            assert mask is not None
            assert np.array_equal(mask, alone)


def test_another_arithmetic_moves_the_mask_by_less_than_a_fiftieth_of_a_percent(
    bundle: Bundle, segmenter: LungSegmenter, chest: NDArray[np.uint8]
) -> None:
    """PyTorch in place of onnxruntime, as a stand-in for another processor: the tolerance is 0.2 %."""
    assert bundle.manifest.lungs is not None
    recipe = bundle.manifest.lungs.recipe
    image = torch.from_numpy(preprocess(chest, recipe.id, recipe.size))[None, None]
    with torch.inference_mode():
        other = union(judge(load_segmenter(bundle, bundle.manifest.lungs)(image)[0].numpy() > 0))
    mask = union(segmenter.find(chest))
    assert mask is not None
    assert other is not None
    assert (mask != other).mean() <= 0.0002


def test_a_mirrored_radiograph_has_mirrored_lungs(segmenter: LungSegmenter, chest: NDArray[np.uint8]) -> None:
    straight = segmenter.find(chest)
    mirrored = segmenter.find(np.ascontiguousarray(chest[:, ::-1]))
    assert isinstance(straight, Lungs)
    assert isinstance(mirrored, Lungs)
    assert dice(mirrored.left, straight.right[:, ::-1]) > 0.9
    assert dice(mirrored.right, straight.left[:, ::-1]) > 0.9


def test_a_film_on_its_side_has_none(segmenter: LungSegmenter, chest: NDArray[np.uint8]) -> None:
    for turns in (1, 3):
        assert isinstance(segmenter.find(np.ascontiguousarray(np.rot90(chest, turns))), NoLungs)


def test_a_white_lung_does_not_move_the_other(segmenter: LungSegmenter, chest: NDArray[np.uint8]) -> None:
    """Training erased rectangles. An outline where nothing is visible is a guess, and may be accepted as a lung."""
    straight = segmenter.find(chest)
    half = chest.copy()
    half[:, chest.shape[1] // 2 :] = 235
    found = segmenter.find(half)
    assert isinstance(straight, Lungs)
    assert isinstance(found, Lungs)
    assert dice(found.right, straight.right) > 0.85


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def test_an_altered_or_missing_graph_is_refused(copy: Path) -> None:
    bundle = Bundle(copy)
    assert bundle.manifest.lungs is not None
    path = copy / "onnx" / LUNGS_ONNX
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink()
    path.write_bytes(data)
    with pytest.raises(BundleError, match="SHA-256 differs"):
        LungSegmenter(bundle, bundle.manifest.lungs)
    manifest = json.loads((copy / "onnx" / "manifest.json").read_text())
    del manifest["files"][LUNGS_ONNX]
    (copy / "onnx" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="run `cxr export`"):
        LungSegmenter(Bundle(copy), bundle.manifest.lungs)


def test_the_graph_stays_small(bundle: Bundle) -> None:
    assert (bundle.root / "onnx" / LUNGS_ONNX).stat().st_size <= 4 * 1024 * 1024
