"""Calibration for a new hospital, with over-confident networks."""

import numpy as np
import pytest

from cxr.errors import DataError
from cxr.labels import LABELS
from study.new_hospital import FEWEST, Unseen, fit, held_back, unseen
from study.travel import left_out_rows
from tests.study.test_travel import ARCHIVES, ROWS, archive


def said(seed: int, sureness: float, images: int = 2000) -> Unseen:
    """Two members with the same answers. The labels follow the softmax of the logits divided by `sureness`."""
    draw = np.random.default_rng(seed)
    logits = draw.normal(0, 1.5, (images, len(LABELS)))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.array([draw.choice(len(LABELS), p=row) for row in shares])
    return Unseen(np.stack([logits, logits]) * sureness, labels)


SOURCES = {"a": said(0, 3.0), "b": said(1, 3.0), "c": said(2, 3.0)}


def test_the_temperature_corrects_over_confidence() -> None:
    assert fit(SOURCES.values()).temperature == pytest.approx(3.0, rel=0.1)


def test_sources_that_are_alike_keep_the_coverage_that_is_asked_for() -> None:
    for one in held_back(SOURCES, 0.9):
        assert all(value > 0.85 for value in one.coverage.values())
        assert one.ece < one.ece_uncalibrated


def test_a_held_back_source_does_not_affect_its_own_fit() -> None:
    changed = {**SOURCES, "c": said(3, 9.0)}
    before, after = (held_back(sources)[2].fit for sources in (SOURCES, changed))
    assert before == after


def test_more_coverage_costs_larger_sets() -> None:
    small, large = (np.mean([one.mean_size for one in held_back(SOURCES, asked)]) for asked in (0.8, 0.95))
    assert small < large


def test_a_label_with_few_images_has_no_figure() -> None:
    few = Unseen(SOURCES["a"].logits[:, :FEWEST], SOURCES["a"].labels[:FEWEST])
    assert held_back({**SOURCES, "d": few})[3].coverage == {}


def test_sources_are_those_that_every_member_was_trained_without() -> None:
    given = [*ARCHIVES, archive("convolution", "siim"), archive("convolution", "cohen"), archive("full", "cohen")]
    found = unseen(ROWS, given)
    assert set(found) == {"siim", "cohen"}
    assert found["cohen"].logits.shape == (2, len(left_out_rows(ROWS, "cohen")), len(LABELS))


def test_archives_of_another_table_are_refused() -> None:
    with pytest.raises(DataError, match="do not fit the table"):
        unseen(ROWS[:100], [archive("convolution", "siim"), archive("full", "siim")])
