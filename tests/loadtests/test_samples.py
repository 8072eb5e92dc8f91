"""What the load tests send and expect: files that decode, mistakes that are refused, answers that are compared."""

import json
from base64 import b64encode
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from cxr.decode import decode
from cxr.errors import Refusal
from cxr.model.bundle import Bundle
from loadtests import mix
from loadtests.golden import TOLERANCE, Answer, GoldenRequest, golden_requests, refusals
from loadtests.samples import Sample, bad_ones, radiographs


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """Two images; synthetic, because the folder is empty."""
    return radiographs(2, folder=tmp_path_factory.mktemp("empty"))


@pytest.fixture(scope="module")
def asked(samples: list[Sample], bundle: Bundle) -> list[GoldenRequest]:
    return golden_requests(samples, explain=False, bundle=bundle)


def answer_to(request: GoldenRequest) -> Answer:
    """The service's right answer to a request."""
    assert request.finding is not None
    return json.loads(json.dumps(asdict(request.finding)))  # type: ignore[no-any-return]


def test_each_image_comes_in_three_media_types(samples: list[Sample]) -> None:
    assert [sample.media_type for sample in samples] == ["image/jpeg", "image/png", "application/dicom"] * 2
    decoded = [decode(sample.data) for sample in samples]
    assert [one.media_type for one in decoded] == [sample.media_type for sample in samples]
    assert decoded[2].pixels.shape == (1955, 1841)
    assert decoded[2].instance != decoded[5].instance


def test_images_of_a_folder_are_taken_as_they_are(samples: list[Sample], tmp_path: Path) -> None:
    for name in "abcd":
        (tmp_path / f"{name}.jpg").write_bytes(samples[0].data)
    taken = radiographs(2, folder=tmp_path)
    assert [sample.name for sample in taken[::3]] == ["a", "c"]
    assert taken[0].data == samples[0].data


def test_what_is_called_bad_is_refused(samples: list[Sample]) -> None:
    bad = bad_ones(samples)
    assert {one.status for one in bad} == {400, 415, 422}
    for one in bad:
        if one.status == 422:
            with pytest.raises(Refusal):
                decode(one.sample.data)


def test_only_the_golden_answer_is_right(asked: list[GoldenRequest]) -> None:
    for request in asked:
        answer = answer_to(request)
        assert request.is_answered_by(200, json.dumps(answer).encode())
        assert not request.is_answered_by(503, json.dumps(answer).encode())
        label, p = next(iter(answer["probabilities"].items()))
        for change in (
            {"prediction": "no label"},
            {"prediction_set": [*answer["prediction_set"], "no label"]},
            {"instance": {"sop_instance_uid": "1"}},
            {"probabilities": answer["probabilities"] | {label: p + 2 * TOLERANCE}},
        ):
            assert not request.is_answered_by(200, json.dumps(answer | change).encode())


def test_a_refusal_is_right_where_it_is_expected(samples: list[Sample]) -> None:
    for request in refusals(bad_ones(samples)):
        assert request.is_answered_by(request.status, b'{"error": {}}')
        assert not request.is_answered_by(request.status, b'{"detail": {}}')
        assert not request.is_answered_by(200, b'{"error": {}}')


def test_explanations_are_compared_too(samples: list[Sample], bundle: Bundle) -> None:
    request = golden_requests(samples[:1], explain=True, bundle=bundle)[1]
    golden = request.explanation
    assert request.route == "/explain"
    assert golden is not None
    explanation = {
        "method": golden.method,
        "target": golden.target,
        "statement": golden.statement,
        "heatmap_png": b64encode(golden.heatmap_png or b"").decode(),
    }
    answer = answer_to(request)
    assert request.is_answered_by(200, json.dumps(answer | {"explanation": explanation}).encode())
    other = {"heatmap_png": b64encode(samples[1].data).decode(), "statement": "", "target": ""}
    for key, value in other.items():
        wrong = explanation | {key: value}
        assert not request.is_answered_by(200, json.dumps(answer | {"explanation": wrong}).encode())


def test_the_mix_has_its_shares(asked: list[GoldenRequest]) -> None:
    explained = [replace(request, route="/explain") for request in asked]
    bad = replace(asked[0], status=422)
    drawn = mix.draw([*asked, *explained], [bad])
    assert drawn == mix.draw([*asked, *explained], [bad])
    assert sum(request is bad for request in drawn) == pytest.approx(mix.BAD_SHARE * len(drawn), rel=0.3)
    good = [request for request in drawn if request is not bad]
    assert sum(q.route == "/explain" for q in good) == pytest.approx(0.1 * len(good), rel=0.3)
    for media_type, share in mix.MEDIA_SHARES.items():
        assert sum(q.sample.media_type == media_type for q in good) == pytest.approx(share * len(good), rel=0.2)
