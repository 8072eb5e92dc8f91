"""The explainer keeps two bundles, and does not confuse them."""

from pathlib import Path

import pytest

from cxr.errors import BundleError, NotServable
from cxr.model.bundle import Bundle
from service.bundles.kept import Kept
from tests.bundles import variant


def test_the_newest_two_are_kept_and_each_is_known_by_its_hash(bundle: Bundle, tmp_path: Path) -> None:
    made: list[Path] = []

    def make(one: Bundle) -> Path:
        made.append(one.root)
        return one.root

    a, b, c = (variant(bundle, tmp_path / version, version=version) for version in "abc")
    kept = Kept(make, None)
    for one in (a, b, a, c):
        kept.adopt(one.root, one.sha256)
        assert kept.get(one.sha256) == one.root
    assert made == [a.root, b.root, c.root], "the one before is not loaded again"
    assert kept.get(a.sha256) == a.root
    assert kept.get(b.sha256) is None
    assert kept.get("0" * 64) is None


def test_a_bundle_with_another_hash_is_not_adopted(bundle: Bundle, tmp_path: Path) -> None:
    kept = Kept(lambda one: one.root, None)
    kept.adopt(bundle.root)
    other = variant(bundle, tmp_path / "other", version="1")
    with pytest.raises(NotServable, match="changed while"):
        kept.adopt(bundle.root, other.sha256)
    with pytest.raises(BundleError):
        kept.adopt(tmp_path / "nothing", other.sha256)
    assert (kept.get(bundle.sha256), kept.get(other.sha256)) == (bundle.root, None)
