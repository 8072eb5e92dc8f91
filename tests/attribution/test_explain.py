"""The explainer of a real bundle: the same bytes, the ensemble's figures, and the requested member's map."""

import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from attribution import loading as networks_module
from attribution.canonize import canonize
from attribution.explain import MAPS, Explainer, mean_map
from attribution.loading import Networks
from attribution.lrp import lrp
from cxr.anatomy.zones import LUNG_ZONES, ZONES
from cxr.errors import NoOpacityHead, NotDecodable, Refusal, UnknownMember
from cxr.labels import LABELS
from cxr.model.bundle import ENSEMBLE, Bundle, Member
from cxr.model.frames import FULL, LUNGS, WHOLE, Placement, window
from cxr.pipeline import Classifier, Finding, Preprocessor
from cxr.report.explanation import METHODS, SIGNED, TAUGHT, Explanation, Method, offered
from cxr.report.heatmap import PIXEL_WISE, PlacedMap, heatmap_png, resample
from networks.architectures import Network, load_member
from tests import files
from tests.attribution.networks import coarse
from tests.bundles import first_member_only, framed

SHAPE = (120, 200)
OF_ANY = tuple(method for method in METHODS if method not in TAUGHT)
"""Methods that a network without the second head has, as the bundle's second one."""


def radiograph(height: int = SHAPE[0], width: int = SHAPE[1]) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (6, 10)).astype(np.float32)
    smooth = np.clip(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), 0, 255)
    return bytes(cv2.imencode(".png", smooth.astype(np.uint8))[1])


@pytest.fixture(autouse=True, scope="module")
def _coarse() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        coarse(patch)
        yield


@pytest.fixture(scope="module")
def explainer(bundle: Bundle) -> Explainer:
    return Explainer(bundle)


@pytest.fixture(scope="module")
def classifier(bundle: Bundle) -> Classifier:
    return Classifier(bundle, threads=1)


@pytest.fixture(scope="module")
def finding(classifier: Classifier) -> Finding:
    return classifier.classify(radiograph())


def picture(data: bytes | None) -> np.ndarray:
    assert data is not None
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded is not None
    return decoded


def assert_same(png: bytes | None, heatmap: NDArray[np.float32], method: Method) -> None:
    """Equal within one grey level: a GPU adds in another order."""
    drawn = picture(heatmap_png(heatmap, SHAPE, method in SIGNED)).astype(int)
    np.testing.assert_allclose(picture(png).astype(int), drawn, atol=1)
    assert np.ptp(drawn) > 0


def expected_map(bundle: Bundle, member: Member, method: Method, label: int) -> NDArray[np.float32]:
    """The map, made by the underlying functions."""
    image = Preprocessor(bundle).prepare(radiograph()).views[member.frame]
    batch, target = torch.from_numpy(image)[None, None], torch.tensor([label])
    network = load_member(bundle, member)
    maps = lrp(canonize(network), batch, target) if method == "lrp" else MAPS[method](network, batch, target)
    return np.asarray(maps[0].numpy())


@pytest.mark.parametrize("method", METHODS)
def test_the_map_is_the_explaining_members_on_the_prepared_image(
    bundle: Bundle, explainer: Explainer, finding: Finding, method: Method
) -> None:
    made = explainer.explain(radiograph(), finding, "pneumonia", method)
    expected = expected_map(bundle, bundle.explainer, method, 1)
    assert_same(made.heatmap_png, expected, method)
    assert (made.method, made.target, made.member) == (method, "pneumonia", bundle.explainer.name)


@pytest.mark.parametrize("method", OF_ANY)
def test_any_member_can_be_asked(bundle: Bundle, explainer: Explainer, finding: Finding, method: Method) -> None:
    other = bundle.manifest.members[1]
    made = explainer.explain(radiograph(), finding, "normal", method, other.name)
    assert made.member == other.name
    assert_same(made.heatmap_png, expected_map(bundle, other, method, 0), method)


@pytest.mark.parametrize("method", OF_ANY)
def test_the_ensembles_map_is_the_mean_weighted_by_the_members_posteriors(
    bundle: Bundle, explainer: Explainer, finding: Finding, method: Method
) -> None:
    made = explainer.explain(radiograph(), finding, "covid19", method, ENSEMBLE)
    maps = tuple(PlacedMap(expected_map(bundle, member, method, 2)) for member in bundle.manifest.members)
    mean = mean_map(maps, [member.probabilities["covid19"] for member in finding.members])
    assert made.member == ENSEMBLE
    assert mean.place == WHOLE
    assert_same(made.heatmap_png, mean.heatmap, method)
    assert "mean of the members' maps" in made.statement


def test_a_mean_has_the_largest_size_and_counts_evidence_not_units() -> None:
    fine, coarse = np.zeros((14, 14), np.float32), np.zeros((7, 7), np.float32)
    fine[:, 0], coarse[:, 6] = 1000, 0.001
    mean = mean_map((PlacedMap(fine), PlacedMap(coarse)), [0.75, 0.25]).heatmap
    assert mean.shape == (14, 14)
    assert mean.sum() == pytest.approx(1, abs=1e-5)
    assert mean[:, :7].sum() == pytest.approx(0.75, abs=1e-5)
    np.testing.assert_allclose(
        mean_map((PlacedMap(coarse),), [0.2]).heatmap, resample(coarse, (7, 7)) / coarse.sum(), rtol=1e-5
    )


def test_a_member_without_evidence_adds_nothing_to_the_mean() -> None:
    some, none, against = (PlacedMap(np.full((7, 7), value, np.float32)) for value in (1, 0, -1))
    mean = mean_map((some, none, against), [0.5, 0.3, 0.2])
    np.testing.assert_allclose(mean.heatmap, np.full((7, 7), 0.5 / 49), rtol=1e-5)
    assert not mean_map((none, against), [0.0, 0.0]).heatmap.any()


def test_a_mean_over_different_frames_is_over_the_whole_radiograph() -> None:
    left, right = Placement(0.0, 0.0, 0.5, 1.0), Placement(0.5, 0.25, 1.0, 0.75)
    maps = [PlacedMap(np.ones((7, 7), np.float32), place) for place in (left, right)]
    mean = mean_map(maps, [0.75, 0.25])
    assert mean.place == WHOLE
    assert mean.heatmap.shape == (PIXEL_WISE, PIXEL_WISE)  # finer than both, but still not pixel-wise
    half, quarter = PIXEL_WISE // 2, PIXEL_WISE // 4
    assert mean.heatmap[:, :half].sum() == pytest.approx(0.75, abs=1e-5)
    assert mean.heatmap[quarter:-quarter, half:].sum() == pytest.approx(0.25, abs=1e-5)
    assert not mean.heatmap[:quarter, half:].any()
    both = mean_map([PlacedMap(one.heatmap, right) for one in maps], [0.75, 0.25])
    assert (both.place, both.heatmap.shape) == (right, (7, 7))


def test_relevance_is_conserved_and_only_lrp_reports_it(explainer: Explainer, finding: Finding) -> None:
    manifest = explainer.bundle.manifest
    for member in manifest.choices:
        error = explainer.explain(radiograph(), finding, "predicted", "lrp", member).conservation_error
        assert error is not None
        assert error < 1e-4
    first = manifest.members[0].name
    for method in set(offered(manifest, first)) - {"lrp"}:
        assert explainer.explain(radiograph(), finding, "predicted", method, first).conservation_error is None


@pytest.mark.parametrize("name", ["resnet18", "resnet18-0 ", "../weights", "Ensemble"])
def test_an_unknown_member_is_refused(explainer: Explainer, finding: Finding, name: str) -> None:
    with pytest.raises(UnknownMember):
        explainer.explain(radiograph(), finding, "predicted", "gradcam", name)
    with pytest.raises(UnknownMember):
        explainer.panel(radiograph(), finding, "predicted", name)


def test_a_network_without_the_second_head_refuses_its_map(explainer: Explainer, finding: Finding) -> None:
    with_head, without = explainer.bundle.manifest.members
    for member in (without.name, ENSEMBLE):
        with pytest.raises(NoOpacityHead):
            explainer.explain(radiograph(), finding, "predicted", "opacity", member)
    assert set(METHODS) - set(offered(explainer.bundle.manifest, without.name)) == TAUGHT
    assert offered(explainer.bundle.manifest, with_head.name) == METHODS


def test_the_second_heads_map_is_the_same_for_every_label_and_names_its_training(
    explainer: Explainer, finding: Finding
) -> None:
    made = [explainer.explain(radiograph(), finding, label, "opacity") for label in LABELS]
    assert len({one.heatmap_png for one in made}) == 1
    assert all("trained on radiologists' boxes" in one.statement for one in made)
    assert not any("evidence" in one.statement for one in made)


def test_predicted_is_the_findings_label(explainer: Explainer, finding: Finding) -> None:
    predicted = explainer.explain(radiograph(), finding, "predicted", "gradcam")
    named = explainer.explain(radiograph(), finding, finding.prediction, "gradcam")
    assert predicted.target == finding.prediction
    assert (predicted.heatmap_png, predicted.overlay, predicted.statement) == (
        named.heatmap_png,
        named.overlay,
        named.statement,
    )
    assert f"{finding.probabilities[finding.prediction]:.2f}" in predicted.statement


def test_pictures_and_timings(explainer: Explainer, finding: Finding) -> None:
    made = explainer.explain(radiograph(), finding, "predicted", "gradcam_plus_plus")
    assert picture(made.heatmap_png).shape == SHAPE
    assert made.overlay is not None
    assert made.overlay.mode == "RGB"
    assert set(made.timings_ms) == {"attribution", "lungs", "render"}
    assert min(made.timings_ms.values()) > 0
    panel = explainer.panel(radiograph(), finding, "predicted")
    assert panel.overlay.width > made.overlay.width
    assert panel.statement.count("locates") == len(OF_ANY)
    assert "trained on radiologists' boxes" in panel.statement


def test_a_real_radiograph_has_zones_of_its_lungs(explainer: Explainer, classifier: Classifier) -> None:
    data = files.radiograph_png()
    made = explainer.explain(data, classifier.classify(data), "predicted", "gradcam")
    assert [zone.zone for zone in made.zones] == list(ZONES)
    assert made.no_lungs == ""
    assert sum(zone.share for zone in made.zones) == pytest.approx(1)
    assert made.boxes
    assert "The lungs hold" in made.statement


def test_a_film_on_its_side_falls_back_to_thirds_with_a_reason(explainer: Explainer, classifier: Classifier) -> None:
    upright = cv2.imdecode(np.frombuffer(files.radiograph_png(), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert upright is not None
    data = files.png(np.ascontiguousarray(np.rot90(upright)))
    made = explainer.explain(data, classifier.classify(data), "predicted", "gradcam")
    assert [zone.zone for zone in made.zones] == list(LUNG_ZONES)
    assert made.no_lungs
    assert made.no_lungs in made.statement


@pytest.fixture(scope="module")
def of_two_frames(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The first member sees the lungs, the second one the whole radiograph."""
    return framed(bundle, tmp_path_factory.mktemp("frames") / "bundle", LUNGS, FULL)


@pytest.fixture(scope="module")
def found_in_two_frames(of_two_frames: Bundle) -> Finding:
    return Classifier(of_two_frames).classify(files.quarter_png())


@pytest.fixture(scope="module")
def in_two_frames(of_two_frames: Bundle) -> Explainer:
    return Explainer(of_two_frames)


def outside_the_lungs(bundle: Bundle, explanation: Explanation) -> NDArray[np.uint8]:
    """The grey levels of a heatmap outside of the frame of the lungs."""
    shown, prepared = picture(explanation.heatmap_png), Preprocessor(bundle).prepare(files.quarter_png())
    assert shown.shape == prepared.radiograph.pixels.shape
    rows, columns = window(prepared.placements[LUNGS], shown.shape)
    assert np.ptp(shown[rows, columns]) > 20
    outside = np.ones(shown.shape, bool)
    top, left = max(rows.start - 4, 0), max(columns.start - 4, 0)  # enlarged from 1024 pixels
    outside[top : rows.stop + 4, left : columns.stop + 4] = False
    assert outside.any()
    return np.unique(shown[outside])


@pytest.mark.parametrize("method", METHODS)
def test_a_map_over_the_lungs_alone_comes_back_on_the_whole_radiograph(
    of_two_frames: Bundle, in_two_frames: Explainer, found_in_two_frames: Finding, method: Method
) -> None:
    data, explainer = files.quarter_png(), in_two_frames
    made = explainer.explain(data, found_in_two_frames, "predicted", method)
    assert set(outside_the_lungs(of_two_frames, made)) == {128 if method in SIGNED else 0}
    prepared = Preprocessor(of_two_frames).prepare(data)
    _, columns = window(prepared.placements[LUNGS], prepared.radiograph.pixels.shape)
    assert made.no_lungs == ""
    assert [zone.zone for zone in made.zones] == list(ZONES)
    for box in made.boxes:
        assert columns.start - 5 <= box.x
        assert box.x + box.width <= columns.stop + 5


@pytest.mark.parametrize("method", OF_ANY)
def test_the_frame_of_the_member_that_is_asked_for_decides_where_a_map_lies(
    of_two_frames: Bundle, in_two_frames: Explainer, found_in_two_frames: Finding, method: Method
) -> None:
    data, explainer = files.quarter_png(), in_two_frames
    whole = of_two_frames.manifest.members[1]
    for member in (whole.name, ENSEMBLE):
        made = explainer.explain(data, found_in_two_frames, "predicted", method, member)
        assert made.member == member
        assert [zone.zone for zone in made.zones] == list(ZONES)
        assert len(outside_the_lungs(of_two_frames, made)) > 1
    seen = Preprocessor(of_two_frames).prepare(data).views
    heatmap, _ = explainer._bare_map(
        whole, torch.from_numpy(seen[FULL])[None, None], torch.tensor([LABELS.index(made.target)]), method
    )
    alone = explainer.explain(data, found_in_two_frames, "predicted", method, whole.name)
    shape = picture(alone.heatmap_png).shape
    expected = picture(heatmap_png(heatmap, (shape[0], shape[1]), method in SIGNED)).astype(int)
    np.testing.assert_allclose(picture(alone.heatmap_png).astype(int), expected, atol=1)


def test_a_panel_shows_the_frame_of_the_member(in_two_frames: Explainer, found_in_two_frames: Finding) -> None:
    panels = {
        in_two_frames.panel(
            files.quarter_png(), found_in_two_frames, "predicted", member, ["gradcam_plus_plus"]
        ).overlay.tobytes()
        for member in in_two_frames.bundle.manifest.choices
    }
    assert len(panels) == 3


def test_a_bundle_without_a_segmenter_falls_back_too(bundle: Bundle, finding: Finding, tmp_path: Path) -> None:
    bare = first_member_only(bundle, tmp_path / "bundle")
    made = Explainer(bare).explain(radiograph(), finding, "predicted", "gradcam")
    assert made.no_lungs == "this model has no lung segmenter"


def test_a_bad_file_is_refused_as_in_classification(explainer: Explainer, finding: Finding) -> None:
    with pytest.raises(NotDecodable):
        explainer.explain(radiograph()[:500], finding, "predicted", "gradcam")
    with pytest.raises(Refusal):
        explainer.explain(b"", finding, "predicted", "gradcam")


def test_four_threads_get_the_same_answers_as_one(explainer: Explainer, finding: Finding) -> None:
    """Different images, methods, targets and members at once."""
    choices = explainer.bundle.manifest.choices

    def run(i: int) -> Explanation:
        data = radiograph(100 + i, 150)
        return explainer.explain(data, finding, LABELS[i % 3], OF_ANY[i % len(OF_ANY)], choices[i % 2])

    alone = [run(i) for i in range(6)]
    with ThreadPoolExecutor(4) as pool:
        for expected, actual in zip(alone, pool.map(run, range(6)), strict=True):
            assert (actual.heatmap_png, actual.statement) == (expected.heatmap_png, expected.statement)


def test_members_are_loaded_at_their_first_use_and_once(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    def counting(source: Bundle, member: Member) -> Network:
        loaded.append(member.name)
        return load_member(source, member)

    monkeypatch.setattr(networks_module, "load_member", counting)
    networks, first = Networks(bundle), bundle.manifest.members[0]
    assert loaded == []
    together = Barrier(4)

    def ask(_: int) -> Network:
        together.wait()
        return networks.canonical(first)

    with ThreadPoolExecutor(4) as pool:
        copies = list(pool.map(ask, range(4)))
    assert loaded == [first.name]
    assert all(made is copies[0] for made in copies)
    assert networks.plain(first) is networks.plain(first)


def test_finding_and_explanation_cross_processes(explainer: Explainer, finding: Finding) -> None:
    assert pickle.loads(pickle.dumps(finding)) == finding
    made = explainer.explain(radiograph(), finding, "predicted", "gradcam")
    assert pickle.loads(pickle.dumps(made)) == made
