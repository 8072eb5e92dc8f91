"""Controls that do not see the lungs: their inputs, and their figures."""

import numpy as np

from cxr.labels import LABELS, Label
from scripts.travel.controls import LEVELS, histograms, learn
from training.data import Dataset, Row

GREY: dict[Label, int] = {"normal": 40, "pneumonia": 120, "covid19": 200}


def dataset(labels: list[Label], source: str = "siim") -> Dataset:
    """Images whose grey level determines the label."""
    draw = np.random.default_rng(len(labels))
    images = np.stack([np.clip(draw.normal(GREY[label], 9, (16, 16)), 0, 255).astype(np.uint8) for label in labels])
    rows = [Row(f"{i}.png", label, source, f"p{i}", "train") for i, label in enumerate(labels)]
    return Dataset(tuple(rows), images)


def test_a_histogram_is_the_share_of_each_grey_level() -> None:
    found = histograms(Dataset((), np.array([[[0, 3], [4, 255]]], dtype=np.uint8)))
    assert found.shape == (1, LEVELS)
    assert (found[0, 0], found[0, 1], found[0, -1]) == (0.5, 0.25, 0.25)


def test_labels_in_grey_levels_are_learnt() -> None:
    learnt, judged = dataset(list(LABELS) * 8), dataset(list(LABELS) * 5)
    posterior = learn(learnt, judged)
    assert posterior.argmax(axis=1).tolist() == [0, 1, 2] * 5
