"""The lung segmenter goes from bundle to bundle, byte for byte."""

from pathlib import Path

import pytest

from cxr.errors import BundleError
from cxr.model.bundle import Bundle
from study.segmenter import adopt
from tests.bundles import first_member_only


def test_an_adopted_segmenter_is_the_same(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    segmenter = adopt(bundle, tmp_path)
    assert segmenter is not None
    assert segmenter == bundle.manifest.lungs
    assert (tmp_path / "weights" / segmenter.weights).read_bytes() == bundle.read_weights(segmenter)


def test_a_bundle_may_adopt_its_own(copy: Path) -> None:
    before = Bundle(copy)
    assert adopt(before, copy) == before.manifest.lungs
    assert adopt(Bundle(copy), copy) == before.manifest.lungs


def test_a_bundle_without_one_hands_on_none(bundle: Bundle, tmp_path: Path) -> None:
    assert adopt(first_member_only(bundle, tmp_path / "bare"), tmp_path) is None


def test_an_altered_segmenter_is_not_handed_on(copy: Path, tmp_path: Path) -> None:
    source = Bundle(copy)
    assert source.manifest.lungs is not None
    path = copy / "weights" / source.manifest.lungs.weights
    path.unlink()
    path.write_bytes(b"altered")
    (tmp_path / "weights").mkdir()
    with pytest.raises(BundleError, match="SHA-256 differs"):
        adopt(source, tmp_path)
