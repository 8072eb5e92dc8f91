"""The shipped gate on files outside its training data: only upright chest radiographs pass, as PNG."""

import cv2
import numpy as np
import pydicom
import pytest

from cxr.anatomy.lungs import LungSegmenter
from cxr.arrays import Grey
from cxr.decode import decode
from cxr.model.bundle import Bundle
from cxr.model.gate import GateKeeper
from tests import files

STRANGERS = (
    "RG3_UNCR.dcm",  # a lower leg
    "mlut_18.dcm",  # teeth
    "vlut_04.dcm",
    "693_UNCR.dcm",  # CT
    "CT_small.dcm",
    "MR2_UNCR.dcm",
    "MR_small.dcm",
    "US1_UNCR.dcm",
    "JPEG-LL.dcm",  # a bone scan
)


@pytest.fixture(scope="module")
def keeper(bundle: Bundle) -> GateKeeper:
    gate = bundle.manifest.gate
    assert gate is not None
    return GateKeeper(bundle, gate)


def test_gate_and_lungs_have_one_thread_each_so_that_sums_are_the_same(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []
    monkeypatch.setattr(
        "onnxruntime.InferenceSession", lambda _, options, **__: threads.append(options.intra_op_num_threads)
    )
    gate, lungs = bundle.manifest.gate, bundle.manifest.lungs
    assert gate is not None
    assert lungs is not None
    GateKeeper(bundle, gate)
    LungSegmenter(bundle, lungs)
    assert threads == [1, 1]


def picture(name: str) -> Grey:
    """The image as a viewer would save it as PNG; thumbnails are enlarged."""
    dataset = pydicom.dcmread(files.sample_path(name))
    pixels = dataset.pixel_array.astype(np.float64)
    pixels = pixels.mean(axis=-1) if pixels.ndim == 3 else pixels
    low, high = np.percentile(pixels, [0.5, 99.5])
    grey = np.clip(255 * (pixels - low) / (high - low), 0, 255).astype(np.uint8)
    grey = 255 - grey if dataset.PhotometricInterpretation == "MONOCHROME1" else grey
    if min(grey.shape) < 64:
        grey = cv2.resize(grey, None, fx=4, fy=4).astype(np.uint8)
    return decode(files.png(np.ascontiguousarray(grey))).pixels


@pytest.mark.parametrize("name", STRANGERS)
def test_other_images_are_rejected(keeper: GateKeeper, name: str) -> None:
    assert keeper.judge(picture(name)).verdict == "unfamiliar"


def test_only_an_upright_whole_chest_radiograph_is_accepted(keeper: GateKeeper) -> None:
    chest = decode(files.radiograph_png()).pixels
    assert keeper.judge(chest).verdict == "familiar"
    height, width = chest.shape
    for other in (
        np.rot90(chest),
        np.rot90(chest, -1),
        chest[::-1],
        chest[::-1, ::-1],
        255 - chest,
        chest[: height // 2, : width // 2],
        np.hstack([chest, chest]),
        np.random.default_rng(0).integers(0, 256, chest.shape).astype(np.uint8),
    ):
        assert keeper.judge(np.ascontiguousarray(other)).verdict == "unfamiliar"
