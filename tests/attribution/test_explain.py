"""The explainer of a real bundle: the same bytes, the ensemble's figures, one member's map."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import torch

from attribution.explain import Explainer
from attribution.gradcam import MAPS
from cxr.bundle import Bundle
from cxr.errors import NotDecodable, Refusal
from cxr.explanation import METHODS, Explanation, Method
from cxr.heatmap import heatmap_png
from cxr.labels import LABELS
from cxr.nets import load_member
from cxr.pipeline import Classifier, Finding, Stopwatch, prepare


def radiograph(height: int = 120, width: int = 200) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (6, 10)).astype(np.float32)
    smooth = np.clip(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), 0, 255)
    return bytes(cv2.imencode(".png", smooth.astype(np.uint8))[1])


@pytest.fixture(scope="module")
def explainer(bundle: Bundle) -> Explainer:
    return Explainer(bundle)


@pytest.fixture(scope="module")
def finding(bundle: Bundle) -> Finding:
    return Classifier(bundle, threads=1).classify(radiograph())


def picture(data: bytes) -> np.ndarray:
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded is not None
    return decoded


@pytest.mark.parametrize("method", METHODS)
def test_the_map_is_the_explaining_members_on_the_prepared_image(
    bundle: Bundle, explainer: Explainer, finding: Finding, method: Method
) -> None:
    _, image = prepare(radiograph(), bundle, Stopwatch())
    target = torch.tensor([LABELS.index("pneumonia")])
    expected = MAPS[method](load_member(bundle, bundle.explainer), torch.from_numpy(image)[None, None], target)
    made = explainer.explain(radiograph(), finding, "pneumonia", method)
    assert made.heatmap_png == heatmap_png(expected[0].numpy(), (120, 200))
    assert (made.method, made.target, made.member) == (method, "pneumonia", bundle.explainer.name)


def test_predicted_is_the_findings_label(explainer: Explainer, finding: Finding) -> None:
    predicted = explainer.explain(radiograph(), finding, "predicted", "gradcam")
    named = explainer.explain(radiograph(), finding, finding.prediction, "gradcam")
    assert predicted.target == finding.prediction
    assert (predicted.heatmap_png, predicted.overlay_png, predicted.statement) == (
        named.heatmap_png,
        named.overlay_png,
        named.statement,
    )
    assert f"{finding.probabilities[finding.prediction]:.2f}" in predicted.statement


def test_pictures_and_timings(explainer: Explainer, finding: Finding) -> None:
    made = explainer.explain(radiograph(), finding, "predicted", "gradcam_plus_plus")
    assert picture(made.heatmap_png).shape == (120, 200)
    assert picture(made.overlay_png).shape[2] == 3
    assert set(made.timings_ms) == {"attribution", "render"}
    assert min(made.timings_ms.values()) > 0


def test_a_bad_file_is_refused_as_in_classification(explainer: Explainer, finding: Finding) -> None:
    with pytest.raises(NotDecodable):
        explainer.explain(radiograph()[:500], finding, "predicted", "gradcam")
    with pytest.raises(Refusal):
        explainer.explain(b"", finding, "predicted", "gradcam")


def test_four_threads_get_what_one_gets(explainer: Explainer, finding: Finding) -> None:
    def run(i: int) -> Explanation:
        return explainer.explain(radiograph(100 + i, 150), finding, LABELS[i % 3], METHODS[i % 2])

    alone = [run(i) for i in range(6)]
    with ThreadPoolExecutor(4) as pool:
        for expected, actual in zip(alone, pool.map(run, range(6)), strict=True):
            assert (actual.heatmap_png, actual.statement) == (expected.heatmap_png, expected.statement)


def test_finding_and_explanation_cross_processes(explainer: Explainer, finding: Finding) -> None:
    assert pickle.loads(pickle.dumps(finding)) == finding
    made = explainer.explain(radiograph(), finding, "predicted", "gradcam")
    assert pickle.loads(pickle.dumps(made)) == made
