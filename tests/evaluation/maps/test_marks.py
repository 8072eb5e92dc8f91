"""The measures of one map against marks, on maps whose figures are known."""

import numpy as np
import pytest

from evaluation.maps.marks import MEASURES, measures

SIDE = 20
MARKED = np.zeros((1, SIDE, SIDE), bool)
MARKED[0, :5, :8] = True  # a tenth of the image


def of(heatmap: np.ndarray) -> dict[str, float]:
    return {name: float(values[0]) for name, values in measures(heatmap[None].astype(np.float32), MARKED).items()}


def test_the_marks_themselves_are_the_best_map() -> None:
    assert of(MARKED[0]) == pytest.approx({"pointing": 1, "energy": 10, "iou": 1, "dice": 1, "auprc": 1})


def test_a_constant_map_is_at_chance_level() -> None:
    assert of(np.ones((SIDE, SIDE))) == pytest.approx(
        {"pointing": 0.1, "energy": 1, "iou": 0.1, "dice": 0.2 / 1.1, "auprc": 0.1}
    )


def test_a_map_that_is_nowhere_right() -> None:
    found = of(~MARKED[0])
    assert (found["pointing"], found["energy"]) == (0, 0)
    assert found["iou"] == pytest.approx(0.1), "a threshold of zero takes all"


def test_a_map_without_evidence_has_nothing() -> None:
    assert of(np.zeros((SIDE, SIDE))) == dict.fromkeys(MEASURES, 0.0)


def test_average_precision_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 9, (SIDE, SIDE)).astype(np.float32) + MARKED[0]
    expected = average_precision_score(MARKED.ravel(), coarse.ravel())
    assert of(coarse)["auprc"] == pytest.approx(expected)


def test_an_image_without_marks_is_an_error() -> None:
    with pytest.raises(ValueError, match="no marks"):
        measures(np.ones((1, SIDE, SIDE), np.float32), np.zeros((1, SIDE, SIDE), bool))
