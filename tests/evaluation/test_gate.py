"""A gate's metrics: the threshold weighs sources equally and separates other images from radiographs."""

import numpy as np
import pytest

from evaluation import gate as module
from evaluation.gate import by_source, kept_out, strangers, threshold


def test_the_threshold_counts_sources_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_OUT", 0.1)
    scores = np.concatenate([np.arange(100.0), np.arange(1000.0) + 1000])
    limit = threshold(scores, ["small"] * 100 + ["large"] * 1000)
    assert limit == pytest.approx(20, abs=1)  # a fifth of the small source: on average a tenth of both

    lone = threshold(np.arange(100.0), ["one"] * 100)
    assert lone == pytest.approx(10, abs=1)


def test_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESAMPLES", 50)
    known, others = np.array([3.0, 4.0, 5.0]), np.array([0.0, 1.0, 4.5])
    found = strangers("turned", known, others, list("abcabc"), limit=2.0)
    assert found.images == 3
    assert found.figures["auroc"].value == pytest.approx(7 / 9 + 1 / 9 * 0, abs=1e-3)
    assert found.figures["let_in"].value == pytest.approx(1 / 3, abs=1e-3)
    assert kept_out("elsewhere", "x", known, list("abc"), limit=3.5).figures["kept_out"].value == pytest.approx(
        1 / 3, abs=1e-3
    )
    here, there = by_source("source", known, ["b", "a", "a"], list("abc"), limit=3.5)
    assert (here.name, here.images, here.figures["kept_out"].value) == ("a", 2, 0.0)
    assert (there.name, there.figures["kept_out"].value) == ("b", 1.0)
