"""Checks of a bundle with random weights: their list, their numbers of images, and their values."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cxr.labels import LABELS
from cxr.model.bundle import Bundle
from cxr.model.frames import FULL, LUNGS
from evaluation import checks as module
from evaluation.bundle_images import BundleImages
from evaluation.checks import BORDER, Check, border_only, checks, without, without_border
from training.data import Row


@pytest.fixture(scope="module")
def data() -> BundleImages:
    """60 images of two sources; one source is bright, and has no pneumonia."""
    rng = np.random.default_rng(0)
    rows, images = [], []
    for i in range(60):
        bright = i % 2 == 0
        label = LABELS[0 if bright and i % 3 == 1 else i % 3]
        rows.append(Row(f"{i}.png", label, "bright" if bright else "dark", f"p{i}", "val"))
        images.append(rng.normal(190 if bright else 60, 20, (64, 64)).clip(0, 255))
    return BundleImages(tuple(rows), {FULL: np.array(images, dtype=np.uint8)})


@pytest.fixture(scope="module")
def found(bundle: Bundle, data: BundleImages, tmp_path_factory: pytest.TempPathFactory) -> tuple[Check, ...]:
    folder = tmp_path_factory.mktemp("images")
    for row, image in zip(data.rows, data.views[FULL], strict=True):
        cv2.imwrite(str(folder / row.file), image)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "RESAMPLES", 20)
        return checks(bundle, Path(folder), data, np.eye(3)[data.labels])


def test_parts_are_removed_from_all_images(found: tuple[Check, ...]) -> None:
    ablated = [check for check in found if check.name in ("whole", "without_border", "border_only")]
    assert [check.images for check in ablated] == [60, 60, 60]
    assert ablated[0].figures["macro_f1"].value == 1
    for check in ablated:
        assert set(check.figures) == {"macro_f1", "accuracy", *(f"{label}_recall" for label in LABELS)}


def test_no_lungs_are_removed_if_none_are_found(
    bundle: Bundle, data: BundleImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "segmented", lambda *_: {FULL: np.zeros((60, 8, 8), bool)})
    assert list(module._lungs(bundle, tmp_path, data, np.eye(3)[data.labels])) == []


def test_the_probe_finds_the_brightness_within_a_label(found: tuple[Check, ...]) -> None:
    probes = {check.of: check for check in found if check.name == "probe"}
    assert set(probes) == {"all", "normal", "covid19"}  # only one source has pneumonia
    accuracy, commonest = (probes["all"].figures[name].value for name in ("accuracy", "commonest"))
    assert accuracy is not None
    assert commonest == 0.5
    assert accuracy > 0.9


def test_found_lungs_are_removed_from_their_images(
    bundle: Bundle, data: BundleImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    masks = np.zeros((60, 8, 8), dtype=bool)
    masks[:20, 2:6, 2:6] = True
    wider = np.zeros((60, 8, 8), dtype=bool)
    wider[:20, 1:7, 1:7] = True
    upside_down = BundleImages(data.rows, {FULL: data.views[FULL], LUNGS: data.views[FULL][:, ::-1]})
    monkeypatch.setattr(module, "RESAMPLES", 5)
    monkeypatch.setattr(module, "segmented", lambda *_: {FULL: masks, LUNGS: wider})
    seen: list[BundleImages] = []

    def said(_: object, part: BundleImages) -> NDArray[np.float64]:
        seen.append(part)
        return np.zeros((1, len(part.rows), 3))

    monkeypatch.setattr(module, "logits_of", said)
    kept, black = module._lungs(bundle, tmp_path, upside_down, np.eye(3)[data.labels])
    assert (kept.name, kept.images, black.name, black.images) == ("with_lungs", 20, "without_lungs", 20)
    assert kept.figures["accuracy"].value == 1
    assert kept.figures["accuracy"] != black.figures["accuracy"]
    ((without, in_lungs),) = ((part.views[FULL], part.views[LUNGS]) for part in seen)
    assert (without[:, 16:48, 16:48] == 0).all()
    assert np.array_equal(without[:, :16], data.views[FULL][:20, :16])
    assert (in_lungs[:, 8:56, 8:56] == 0).all()
    assert np.array_equal(in_lungs[:, :8], upside_down.views[LUNGS][:20, :8])


# --- Removed parts are black, and nothing else changes

IMAGES = np.random.default_rng(0).integers(1, 256, (3, 40, 40), dtype=np.uint8)


def test_border_and_inside_are_the_whole() -> None:
    inside, border = without_border(IMAGES), border_only(IMAGES)
    assert np.array_equal(inside + border, IMAGES)
    width = round(BORDER * 40)
    assert (inside[:, :width] == 0).all()
    assert (inside[:, :, -width:] == 0).all()
    assert np.array_equal(inside[:, width:-width, width:-width], IMAGES[:, width:-width, width:-width])
    assert (border > 0).mean() == pytest.approx(1 - (1 - 2 * BORDER) ** 2)


def test_masks_are_scaled_to_the_images() -> None:
    masks = np.zeros((3, 8, 8), dtype=bool)
    masks[1, 2:4, 1:7] = True
    found = without(IMAGES, masks)
    assert np.array_equal(found[[0, 2]], IMAGES[[0, 2]])
    assert (found[1, 10:20, 5:35] == 0).all()
    assert (found[1] == 0).sum() == 300


def test_images_may_be_read_only() -> None:
    frozen = IMAGES.copy()
    frozen.flags.writeable = False
    before = frozen.copy()
    for ablated in (without_border(frozen), border_only(frozen), without(frozen, np.ones((3, 4, 4), dtype=bool))):
        assert not np.array_equal(ablated, frozen)
    assert np.array_equal(frozen, before)
