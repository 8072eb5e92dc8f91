"""Evidence by zone compared with scores, on known figures."""

from pathlib import Path

import numpy as np
import pytest

from cxr.errors import DataError
from evaluation.maps.severity import by_zone, correlations, read_scores

ZONES = np.full((4, 6), 7)
ZONES[:3, :3] = np.array([0, 1, 2])[:, None]
ZONES[:3, 3:] = np.array([3, 4, 5])[:, None]


def test_evidence_is_counted_by_zone() -> None:
    heatmap = np.zeros((1, 4, 6), np.float32)
    heatmap[0, 1, 0], heatmap[0, 2, 5], heatmap[0, 3, 0] = 3, 1, 4
    np.testing.assert_allclose(by_zone(heatmap, [ZONES]), [[0, 3 / 8, 0, 0, 0, 1 / 8]])
    np.testing.assert_allclose(by_zone(heatmap, [ZONES], relative=False), [[0, 3, 0, 0, 0, 1]])
    assert not by_zone(np.zeros_like(heatmap), [ZONES]).any()


def test_a_map_that_follows_severity_and_one_that_does_not() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 4, (30, 6)).astype(np.float64)
    evidence = {"right": scores * 2 + 1, "wrong": -scores, "same": np.tile(np.arange(6.0), (30, 1))}
    found = correlations(evidence, scores, [f"p{i // 2}" for i in range(30)])
    assert found["right/pooled"].value == pytest.approx(1)
    assert found["right/within"].value == pytest.approx(1)
    assert found["wrong/pooled"].value == pytest.approx(-1)
    assert abs(found["same/within"].value or 0) < 0.3


def test_the_two_readers_are_averaged_in_the_order_of_the_zones(tmp_path: Path) -> None:
    names = [f"{who}-{zone}" for who in "SJ" for zone in "ABCDEF"]
    values = [0, 1, 2, 3, 0, 1, 2, 1, 2, 3, 0, 3]
    (tmp_path / "brixia.csv").write_text(f"file,{','.join(names)}\na.png,{','.join(map(str, values))}\n")
    np.testing.assert_array_equal(read_scores(tmp_path)["a.png"], [1, 1, 2, 3, 0, 2])
    with pytest.raises(DataError, match=r"brixia\.csv"):
        read_scores(tmp_path / "nowhere")
