"""The AUC within one source: the images and the score."""

import numpy as np
import pytest

from cxr.model.frames import FULL
from evaluation.bundle_images import BundleImages
from scripts.unseen_source import between, of_labels
from training.data import Row


def test_only_the_two_labels_of_the_source_are_judged() -> None:
    rows = (
        Row("normal.png", "normal", "siim", "p1", "val"),
        Row("pneumonia.png", "pneumonia", "siim", "p2", "val"),
        Row("covid.png", "covid19", "siim", "p3", "val"),
        Row("other.png", "covid19", "cohen", "p4", "val"),
    )
    kept = of_labels(BundleImages(rows, {FULL: np.zeros((4, 2, 2), np.uint8)}), "siim", ("normal", "covid19"))
    assert [row.file for row in kept.rows] == ["normal.png", "covid.png"]


def test_the_score_is_of_one_label_among_the_two() -> None:
    posterior = np.array([[0.2, 0.2, 0.6], [0.0, 1.0, 0.0]])
    assert between(posterior, "normal", "covid19") == pytest.approx([0.75, 0.0])
