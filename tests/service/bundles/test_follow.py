"""The bundle follows its link: which bundles replace another, which do not, and which one answers meanwhile."""

import asyncio
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cxr.errors import BundleError, NotServable
from cxr.model.bundle import Bundle, onnx_name
from cxr.model.signature import sign
from cxr.pipeline import Classifier
from service.bundles import follow
from service.bundles.follow import Bundles
from service.bundles.link import LAST
from service.bundles.served import synthetic_png
from service.metrics import Metrics
from service.runtime import Runtime
from service.settings import Settings
from tests.bundles import variant
from tests.cxr.model.test_signature import write_keys


class Explainer:
    """A fake client of the explainer: it records bundles, is unavailable, or cannot load a bundle."""

    def __init__(self) -> None:
        self.told: list[Path] = []
        self.there, self.able = True, True

    async def adopt(self, root: Path, _sha256: str) -> bool:
        if not self.able:
            raise NotServable("no")
        if self.there:
            self.told.append(root)
        return self.there


@pytest.fixture(scope="module")
def first(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle with the smaller of the two members."""
    members = [bundle.manifest.members[0].model_dump(mode="json")]
    return variant(bundle, tmp_path_factory.mktemp("small") / "first", members=members)


@pytest.fixture
def second(first: Bundle, tmp_path: Path) -> Bundle:
    """The same networks as another model, with other probabilities."""
    return variant(first, tmp_path / "second", version="1", temperature=2.0)


@pytest.fixture
def link(first: Bundle, tmp_path: Path) -> Path:
    path = tmp_path / "current"
    path.symlink_to(first.root)
    return path


@pytest.fixture
def explainer() -> Explainer:
    return Explainer()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def begin(link: Path, explainer: Explainer, metrics: Metrics) -> Callable[[], Bundles]:
    return lambda: Bundles(Settings(bundle=link), metrics, explainer, lambda: 1)


def point(link: Path, root: Path) -> None:
    """Replace the link as an operator does: rename the new one over the old one."""
    following = link.with_name("next")
    following.symlink_to(root)
    following.replace(link)


def check(bundles: Bundles) -> str:
    """Check the link once. Returns the version served afterwards."""
    asyncio.run(bundles.check())
    return bundles.served.manifest.version


def counted(metrics: Metrics) -> tuple[float | None, float | None]:
    """The numbers of swaps and of failed swaps."""
    read = metrics.registry.get_sample_value
    return read("cxr_bundle_swaps_total"), read("cxr_failed_bundle_swaps_total")


def altered_onnx(bundle: Bundle, change: Callable[[dict[str, Any]], object]) -> None:
    """Write another onnx/manifest.json."""
    path = bundle.root / "onnx" / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.unlink()  # it is a hard link
    path.write_text(json.dumps(manifest))


def test_another_is_served_once_the_link_names_it_and_the_first_when_it_names_that_again(
    begin: Callable[[], Bundles], link: Path, first: Bundle, second: Bundle, explainer: Explainer, metrics: Metrics
) -> None:
    bundles = begin()
    assert (check(bundles), check(bundles), counted(metrics)) == ("0", "0", (0, 0))
    before = bundles.served
    for wanted, version in ((second, "1"), (first, "0")):
        point(link, wanted.root)
        assert check(bundles) == version
        found = bundles.served.classifier.classify(synthetic_png()).probabilities
        assert found == Classifier(wanted).classify(synthetic_png()).probabilities
        labels = {"name": "random", "version": version, "sha256": wanted.sha256}
        assert metrics.registry.get_sample_value("cxr_bundle_info", labels) == 1
    assert metrics.text().count(b"cxr_bundle_info{") == 1
    assert counted(metrics) == (2, 0)
    assert explainer.told == [first.root, second.root, first.root]
    assert before.classifier.classify(synthetic_png()).prediction, "a request that holds it goes on"


def test_a_request_keeps_the_bundle_that_it_began_with(link: Path, first: Bundle, second: Bundle) -> None:
    async def scenario() -> None:
        runtime = Runtime(Settings(bundle=link), Metrics(), None)
        held = runtime.served
        point(link, second.root)
        await runtime.bundles.check()
        assert (held.bundle.sha256, runtime.served.bundle.sha256) == (first.sha256, second.sha256)
        for served, bundle in ((held, first), (runtime.served, second)):
            finding, _ = await runtime.classify(served, synthetic_png())
            assert finding.probabilities == Classifier(bundle).classify(synthetic_png()).probabilities

    asyncio.run(scenario())


def without_golden(bundle: Bundle) -> None:
    altered_onnx(bundle, lambda manifest: manifest.pop("golden"))


def with_another_golden(bundle: Bundle) -> None:
    altered_onnx(bundle, lambda manifest: next(iter(manifest["golden"].values())).__setitem__(0, 99.0))


def with_an_altered_graph(bundle: Bundle) -> None:
    graph = bundle.root / "onnx" / onnx_name(bundle.manifest.members[0], "float32")
    data = graph.read_bytes()
    graph.unlink()
    graph.write_bytes(data[:-1] + b"\0")


def without_weights(bundle: Bundle) -> None:
    shutil.rmtree(bundle.root / "weights")


@pytest.mark.parametrize("spoil", [without_golden, with_another_golden, with_an_altered_graph, without_weights])
def test_the_old_one_stays_where_the_new_one_is_wrong(
    begin: Callable[[], Bundles],
    link: Path,
    second: Bundle,
    metrics: Metrics,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[Bundle], None],
) -> None:
    bundles = begin()
    served = bundles.served
    spoil(second)
    point(link, second.root)
    with caplog.at_level(logging.ERROR):
        check(bundles)
        check(bundles)
    assert bundles.served is served
    assert counted(metrics) == (0, 1), "it is tried once for each link"
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert f"{second.root} cannot be served, random 0 stays" in caplog.text
    point(link, second.root)
    check(bundles)
    assert counted(metrics) == (0, 2), "and again for a new link to the same"


def test_two_bundles_must_fit_into_memory(
    begin: Callable[[], Bundles], link: Path, second: Bundle, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundles = begin()
    size = sum((second.root / "weights" / one.weights).stat().st_size for one in second.manifest.stored)
    for available, version in ((follow.ROOM * size - 1, "0"), (follow.ROOM * size, "1")):
        monkeypatch.setattr(follow, "available_bytes", lambda available=available: available)
        point(link, second.root)
        assert check(bundles) == version
    assert counted(metrics) == (1, 1)


def test_bundles_need_a_willing_explainer_and_an_unavailable_one_is_told_later(
    begin: Callable[[], Bundles], link: Path, second: Bundle, explainer: Explainer, metrics: Metrics
) -> None:
    bundles = begin()
    check(bundles)
    explainer.able = False
    point(link, second.root)
    assert (check(bundles), counted(metrics)) == ("0", (0, 1))
    explainer.able, explainer.there, explainer.told = True, False, []
    point(link, second.root)
    assert (check(bundles), explainer.told) == ("1", []), "/classify needs no explainer"
    explainer.there = True
    check(bundles)
    check(bundles)
    assert explainer.told == [second.root]
    bundles.unknown()
    check(bundles)
    assert explainer.told == [second.root] * 2


def test_only_a_signed_one_replaces_another_where_a_key_is_set(
    link: Path, first: Bundle, second: Bundle, explainer: Explainer, metrics: Metrics, tmp_path: Path
) -> None:
    private, public = write_keys(tmp_path, "owner")
    signed = variant(first, tmp_path / "signed", version="2")
    for bundle in (signed, second):
        sign(bundle.root, private)
    point(link, signed.root)
    bundles = Bundles(Settings(bundle=link, bundle_key=public), metrics, explainer, lambda: 1)
    point(link, first.root)
    assert check(bundles) == "2", "not signed"
    (second.root / "SHA256SUMS").write_bytes((signed.root / "SHA256SUMS").read_bytes())
    point(link, second.root)
    assert check(bundles) == "2", "altered"
    sign(second.root, private)
    point(link, second.root)
    assert check(bundles) == "1"
    assert counted(metrics) == (1, 2)


def test_a_worker_that_is_started_again_serves_the_last_one_where_the_link_names_a_bad_one(
    begin: Callable[[], Bundles],
    link: Path,
    second: Bundle,
    metrics: Metrics,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_golden(second)
    monkeypatch.setenv(LAST, str(tmp_path / "last"))
    assert begin().served.manifest.version == "0"
    point(link, second.root)
    again = begin()
    assert (again.served.manifest.version, counted(metrics)) == ("0", (0, 1))
    assert (check(again), counted(metrics)) == ("0", (0, 1)), "it has been tried"
    monkeypatch.delenv(LAST)
    (second.root / "bundle.json").unlink()
    with pytest.raises(BundleError):
        begin()


def test_a_folder_that_is_not_a_link_is_served_unchanged(first: Bundle, explainer: Explainer, metrics: Metrics) -> None:
    bundles = Bundles(Settings(bundle=first.root), metrics, explainer, lambda: 1)
    assert (check(bundles), counted(metrics)) == ("0", (0, 0))
