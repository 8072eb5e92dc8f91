"""Examples: for each radiograph one unchanged, one varied, and alternating kinds to reject; pictures need packages."""

import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from cxr.errors import DataError
from networks.gate import SIZE
from training.data import Row
from training.gate import examples as examples_module
from training.gate import pictures as module
from training.gate.examples import (
    DRAWING,
    KINDS_EACH,
    KNOWN,
    PICTURE,
    SLICE,
    VARIED,
    collect,
    of_pictures,
    of_radiographs,
    seen,
)
from training.gate.pictures import FEWEST, PACKAGES, SLICES, crop, drawing, pictures
from training.gate.strangers import KINDS


def test_each_radiograph_gives_as_many_and_all_kinds_come_alike(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [Row(f"{n}.png", "normal", "a", f"{n}", "train") for n in range(7)]
    for row in rows:
        cv2.imwrite(str(tmp_path / row.file), rng.integers(0, 256, (90, 100)).astype(np.uint8))
    lungs = {row.file: np.zeros((64, 64), bool) for row in rows}
    found = collect(of_radiographs(tmp_path, rows, lungs, seed=0))
    assert found.images.shape == (7 * (2 + KINDS_EACH), SIZE, SIZE)
    names, counts = np.unique(found.kinds, return_counts=True)
    assert dict(zip(names, counts, strict=True)) == {KNOWN: 7, VARIED: 7, **dict.fromkeys(KINDS, KINDS_EACH)}
    assert np.array_equal(np.bincount(found.origins), np.full(7, 2 + KINDS_EACH))
    again = collect(of_radiographs(tmp_path, rows, lungs, seed=0))
    assert np.array_equal(found.images, again.images)


def test_a_part_too_small_is_enlarged() -> None:
    assert seen(np.arange(20 * 200, dtype=np.uint8).reshape(20, 200)).shape == (SIZE, SIZE)


def test_drawings_and_crops_differ() -> None:
    rng = np.random.default_rng(0)
    assert len({drawing(rng).tobytes() for _ in range(20)}) == 20
    picture = drawing(rng)
    assert min(min(crop(picture, rng).shape) for _ in range(20)) >= 128


def test_pictures_drawings_and_slices_are_each_of_an_origin_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (90, 100)).astype(np.uint8)
    monkeypatch.setattr(examples_module, "pictures", lambda: {"a/one.png": picture, "a/two.png": picture.T})
    monkeypatch.setattr(examples_module, "CROPS", 2)
    monkeypatch.setattr(examples_module, "DRAWINGS", 3)
    found = collect(of_pictures(0, first=7))
    assert found.kinds.tolist() == [PICTURE] * 4 + [DRAWING, SLICE] * 3
    assert found.origins.tolist() == [7, 7, 8, 8, 9, 12, 10, 13, 11, 14]


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _name: None)
    with pytest.raises(DataError, match=r"pip install \.\[gate\]"):
        pictures()


@pytest.mark.skipif(any(find_spec(name) is None for name in PACKAGES), reason="needs the extra `gate`")
def test_every_package_gives_pictures() -> None:
    found = pictures()
    assert {name.split("/")[0] for name in found} == set(PACKAGES)
    assert all(picture.dtype == np.uint8 and picture.ndim == 2 for picture in found.values())


def test_pictures_are_what_packages_ship_and_slices_of_a_brain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    volume = rng.random((20, 24, 28), np.float32)
    monkeypatch.setattr(module, "find_spec", lambda _name: SimpleNamespace(origin=str(tmp_path / "__init__.py")))
    reader = SimpleNamespace(load=lambda _path: SimpleNamespace(dataobj=volume))
    monkeypatch.setitem(sys.modules, "nibabel", reader)
    for folder in PACKAGES.values():
        (tmp_path / folder).mkdir(parents=True)
        for name, side in (("large.png", FEWEST), ("small.jpg", FEWEST - 1), ("text.png", 0), ("notes.txt", 0)):
            image = rng.integers(0, 256, (side, side, 3)).astype(np.uint8)
            (tmp_path / folder / name).write_bytes(bytes(cv2.imencode(name[-4:], image)[1]) if side else b"text")
    found = pictures()
    brain = [name for name in found if name.startswith("nilearn/brain-")]
    assert list(found) == sorted(found)
    assert set(found) - set(brain) == {f"{package}/large.png" for package in PACKAGES}
    assert len(brain) == 3 * SLICES
    assert {found[f"nilearn/brain-{axis}-0.20"].shape for axis in range(3)} == {(28, 24), (28, 20), (24, 20)}
    assert np.array_equal(
        found["nilearn/brain-0-0.20"], np.rot90((255 * volume / volume.max()).astype(np.uint8)[int(0.2 * 20)])
    )
