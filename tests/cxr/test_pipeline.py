"""From bytes to a finding, in one thread and in many."""

import dataclasses
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cxr.anatomy.lungs import Lungs, LungSegmenter, NoLungs, union
from cxr.decode import decode as files_decoded
from cxr.errors import EmptyInput, LateralView, NotDecodable, Refusal, TooSmall, Unfamiliar
from cxr.labels import LABELS
from cxr.model.bundle import Bundle
from cxr.model.frames import FRAMES, FULL, HULL, LUNGS, WHOLE, placement
from cxr.model.preprocess import shrink
from cxr.pipeline import NO_LUNGS, UNFAMILIAR, Classifier, Finding, Preprocessor, Stopwatch
from tests import files
from tests.bundles import framed, variant


@pytest.fixture(scope="module")
def classifier(bundle: Bundle) -> Classifier:
    return Classifier(bundle)


def untimed(finding: Finding) -> Finding:
    return dataclasses.replace(finding, timings_ms={})


def test_a_finding_is_complete_and_consistent(classifier: Classifier, bundle: Bundle) -> None:
    finding = classifier.classify(files.radiograph_dicom())
    assert tuple(finding.probabilities) == LABELS
    assert sum(finding.probabilities.values()) == pytest.approx(1, abs=1e-12)
    assert finding.prediction == max(LABELS, key=lambda label: finding.probabilities[label])
    assert set(finding.prediction_set) == {label for label, p in finding.probabilities.items() if 1 - p <= 0.7}
    assert [member.name for member in finding.members] == [member.name for member in bundle.manifest.members]
    for member in finding.members:
        assert sum(member.probabilities.values()) == pytest.approx(1, abs=1e-12)
    assert finding.ensemble == "scpa"
    assert finding.media_type == "application/dicom"
    assert finding.instance is not None
    assert set(finding.timings_ms) == {"decode", "preprocess", "inference"}
    assert min(finding.timings_ms.values()) > 0


def test_the_same_pixels_get_the_same_answer_from_any_format(classifier: Classifier) -> None:
    dicom, png = (classifier.classify(data) for data in (files.radiograph_dicom(), files.radiograph_png()))
    assert png.probabilities == pytest.approx(dicom.probabilities, abs=1e-6)
    assert (png.media_type, png.instance) == ("image/png", None)


def test_a_finding_can_cross_a_process_boundary(classifier: Classifier) -> None:
    finding = classifier.classify(files.radiograph_dicom())
    assert pickle.loads(pickle.dumps(finding)) == finding


def test_a_finding_cannot_be_altered(classifier: Classifier) -> None:
    finding = classifier.classify(files.radiograph_png())
    with pytest.raises(dataclasses.FrozenInstanceError):
        finding.prediction = "normal"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (files.empty(), EmptyInput),
        (files.text_file(), NotDecodable),
        (files.lateral_dicom(), LateralView),
        (files.png(np.tile(np.arange(500).astype(np.uint8), (63, 1))), TooSmall),
    ],
)
def test_what_cannot_be_classified_is_refused(classifier: Classifier, data: bytes, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        classifier.classify(data)


def test_threads_do_not_disturb_each_other(classifier: Classifier) -> None:
    rng = np.random.default_rng(0)
    bodies = [files.png(rng.integers(0, 256, shape, dtype=np.uint8)) for shape in ((90, 120), (300, 280), (64, 64))]
    alone = [classifier.classify(body) for body in bodies]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda i: classifier.classify(bodies[i % 3]), range(24)))
    for index, finding in enumerate(together):
        assert finding.probabilities == pytest.approx(alone[index % 3].probabilities, abs=1e-6)
        assert finding.prediction_set == alone[index % 3].prediction_set


@pytest.mark.parametrize("alone", [True, False])
def test_a_caller_states_whether_others_run(bundle: Bundle, monkeypatch: pytest.MonkeyPatch, alone: bool) -> None:
    classifier, said = Classifier(bundle), list[bool]()
    logits = classifier.ensemble.logits

    def watched(images: Any, alone: bool) -> Any:
        said.append(alone)
        return logits(images, alone)

    monkeypatch.setattr(classifier.ensemble, "logits", watched)
    classifier.classify(files.radiograph_png(), alone)
    assert said == [alone]


def test_prepare_returns_the_full_resolution_for_display_and_a_frame_for_the_networks(bundle: Bundle) -> None:
    prepared = Preprocessor(bundle).prepare(files.radiograph_png())
    assert prepared.radiograph.pixels.shape == (1955, 1841)
    assert {frame: image.shape for frame, image in prepared.views.items()} == {FULL: (64, 64)}
    assert prepared.placements == {FULL: WHOLE}
    assert prepared.lungs is None
    assert set(prepared.watch.timings_ms) == {"decode", "preprocess"}


@pytest.fixture(scope="module")
def of_lungs(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    """The same networks with the lung frame."""
    return Classifier(framed(bundle, tmp_path_factory.mktemp("lungs") / "bundle", LUNGS, LUNGS))


def test_a_bundle_with_lung_frames_sees_only_the_lungs(of_lungs: Classifier, classifier: Classifier) -> None:
    prepared = of_lungs.prepare(files.radiograph_png())
    assert isinstance(prepared.lungs, Lungs)
    assert prepared.placements == {LUNGS: placement(LUNGS, union(prepared.lungs))} != {LUNGS: WHOLE}
    assert prepared.warnings == ()
    assert not np.array_equal(prepared.views[LUNGS], classifier.prepare(files.radiograph_png()).views[FULL])
    finding = of_lungs.classify(files.radiograph_png())
    assert finding.warnings == ()
    assert set(finding.timings_ms) == {"decode", "preprocess", "inference"}


def test_without_lungs_the_whole_image_is_classified_with_a_warning(
    of_lungs: Classifier, classifier: Classifier
) -> None:
    on_its_side = files.png(np.ascontiguousarray(np.rot90(files_decoded(files.radiograph_png()).pixels)))
    prepared, whole = of_lungs.prepare(on_its_side), classifier.prepare(on_its_side)
    assert isinstance(prepared.lungs, NoLungs)
    assert prepared.placements == {LUNGS: WHOLE}
    assert np.array_equal(prepared.views[LUNGS], whole.views[FULL])
    assert of_lungs.classify(on_its_side).warnings == (NO_LUNGS, UNFAMILIAR)
    assert classifier.classify(on_its_side).warnings == (UNFAMILIAR,)


@pytest.mark.parametrize("frames", [(LUNGS, FULL), (FULL, LUNGS), (HULL, LUNGS), (FULL, FULL)])
def test_each_member_sees_its_own_frame(bundle: Bundle, tmp_path: Path, frames: tuple[str, str]) -> None:
    mixed = Classifier(framed(bundle, tmp_path / "mixed", *frames))
    alone = [Classifier(framed(bundle, tmp_path / frame, frame, frame)) for frame in dict.fromkeys(frames)]
    by_frame = dict(zip(dict.fromkeys(frames), alone, strict=True))
    finding = mixed.classify(files.radiograph_png())
    for number, frame in enumerate(frames):
        expected = by_frame[frame].classify(files.radiograph_png()).members[number]
        assert finding.members[number].frame == frame
        assert finding.members[number].probabilities == pytest.approx(expected.probabilities, abs=1e-6)


def test_radiograph_and_lungs_are_made_once_and_each_frame_once(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def counted(name: str, function: Any) -> Any:
        return lambda *given: made.append(name) or function(*given)  # type: ignore[func-returns-value]

    preprocessor = Preprocessor(framed(bundle, tmp_path / "bundle", LUNGS, FULL))
    monkeypatch.setattr("cxr.pipeline.shrink", counted("shrink", shrink))
    monkeypatch.setattr(LungSegmenter, "find", counted("find", LungSegmenter.find))
    for frame, cut in FRAMES.items():
        monkeypatch.setitem(FRAMES, frame, counted(frame, cut))
    preprocessor.prepare(files.radiograph_png())
    of_the_segmenter = FULL  # the gate sees the whole image, with its own recipe and size
    assert made == ["shrink", "find", of_the_segmenter, LUNGS, FULL]


def test_members_of_one_frame_share_its_array(of_lungs: Classifier) -> None:
    assert list(of_lungs.prepare(files.radiograph_png()).views) == [LUNGS]


def test_the_warning_comes_if_only_one_member_sees_the_lungs(bundle: Bundle, tmp_path: Path) -> None:
    on_its_side = files.png(np.ascontiguousarray(np.rot90(files_decoded(files.radiograph_png()).pixels)))
    for frames in ((FULL, LUNGS), (HULL, FULL)):
        mixed = Classifier(framed(bundle, tmp_path / frames[0], *frames))
        assert NO_LUNGS in mixed.classify(on_its_side).warnings
        assert mixed.classify(files.radiograph_png()).warnings == ()


def test_a_thumbnail_has_no_lungs_to_look_for(of_lungs: Classifier) -> None:
    with pytest.raises(TooSmall):
        of_lungs.classify(files.png(np.tile(np.arange(40, dtype=np.uint8), (40, 1))))


def test_a_stage_that_raises_is_timed_too() -> None:
    watch = Stopwatch()
    with pytest.raises(KeyError), watch.stage("decode"):
        raise KeyError
    assert watch.timings_ms["decode"] >= 0


def test_classifying_twice_is_deterministic(classifier: Classifier) -> None:
    first, second = (untimed(classifier.classify(files.radiograph_png())) for _ in range(2))
    assert first == second


@pytest.fixture(scope="module")
def on_its_side() -> bytes:
    return files.png(np.ascontiguousarray(np.rot90(files_decoded(files.radiograph_png()).pixels)))


def test_the_gate_warns_refuses_or_does_not_run(bundle: Bundle, on_its_side: bytes) -> None:
    chest = files.radiograph_png()
    asked = Classifier(bundle).classify(chest)
    assert asked.gate is not None
    assert asked.gate.verdict == "familiar"
    turned = Classifier(bundle).classify(on_its_side)
    assert turned.gate is not None
    assert turned.gate.verdict == "unfamiliar"
    assert turned.gate.score < asked.gate.score
    refusing = Classifier(bundle, gate="refuse")
    assert refusing.classify(chest).gate == asked.gate
    with pytest.raises(Unfamiliar):
        refusing.classify(on_its_side)
    refusing.warm_up(on_its_side)  # whatever the image shows
    off = Classifier(bundle, gate="off").classify(on_its_side)
    assert off.gate is None
    assert off.warnings == ()


def test_a_bundle_without_a_gate_gives_no_judgement(bundle: Bundle, tmp_path: Path, on_its_side: bytes) -> None:
    classifier = Classifier(variant(bundle, tmp_path / "bare", gate=None), gate="refuse")
    assert classifier.classify(on_its_side).gate is None
