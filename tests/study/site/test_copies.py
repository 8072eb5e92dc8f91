"""Hashes: equal for a shrunk, recompressed or brightened copy, and different for another picture."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from cxr.arrays import Grey
from cxr.decode import decode
from cxr.model.bundle import Bundle
from study.site.copies import code, install_hashes, is_copy, known_codes
from tests import files
from tests.bundles import variant


def scene(seed: int) -> Grey:
    """Blobs of all sizes. Each seed gives another scene."""
    rng = np.random.default_rng(seed)
    noise = sum(
        cv2.resize(rng.normal(0, 1, (side, side)), (320, 300), interpolation=cv2.INTER_CUBIC) for side in (8, 24, 60)
    )
    return np.asarray(np.clip(128 + 35 * np.asarray(noise), 0, 255), np.uint8)


def altered(pixels: Grey) -> list[Grey]:
    jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 40])[1].tobytes()
    small = cv2.resize(pixels, None, fx=0.5, fy=0.55, interpolation=cv2.INTER_AREA).astype(np.uint8)
    return [decode(jpeg).pixels, small, (pixels * 0.8 + 20).astype(np.uint8)]


@pytest.mark.parametrize("pixels", [scene(0), decode(files.radiograph_png()).pixels], ids=["scene", "radiograph"])
def test_copies_are_found_and_other_pictures_are_not(pixels: Grey) -> None:
    known = np.array([code(pixels), *(code(scene(seed)) for seed in range(10, 40))], np.uint64)
    for copy in altered(pixels):
        assert is_copy(code(copy), known)
    assert not any(is_copy(code(scene(seed)), known) for seed in range(50, 80))
    assert not is_copy(code(pixels), np.zeros(0, np.uint64))


def test_a_bundle_ships_them_sorted_and_without_the_test_split(bundle: Bundle, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    lines = ["file,label,patient,split"]
    for number, split in enumerate(("train", "val", "test")):
        cv2.imwrite(str(data / f"{number}.png"), scene(number))
        lines.append(f"{number}.png,normal,p{number},{split}")
    (data / "metadata.csv").write_text("\n".join(lines))
    copy = variant(bundle, tmp_path / "bundle")
    assert known_codes(copy) is None
    install_hashes(copy, data)
    found = known_codes(Bundle(copy.root))
    assert found is not None
    assert found.tolist() == sorted(code(scene(number)) for number in range(2))
