"""A probe detects a source that can be detected, and none otherwise."""

import numpy as np
import pytest
import torch

from cxr.model.architecture import ARCHITECTURES, Architecture
from evaluation.probe import guesses, penultimate
from networks.architectures import build

RNG = np.random.default_rng(0)


def test_a_source_in_the_features_is_detected() -> None:
    sources = np.array(["a", "b", "c"])[RNG.integers(0, 3, 150)]
    features = RNG.normal(size=(150, 8))
    features[:, 3] += 6 * (sources == "b")
    features[:, 4] += 6 * (sources == "c")
    patients = [str(i // 2) for i in range(150)]
    assert (guesses(features, sources, patients) == sources).mean() > 0.9


def test_noise_is_not_a_source_even_if_patients_have_several_images() -> None:
    """Each patient is one point, repeated five times. If a patient were in training and test, it would get 100 %."""
    patients = np.repeat(np.arange(40), 5)
    sources = np.array(["a", "b"])[RNG.integers(0, 2, 40)][patients]
    features = RNG.normal(size=(40, 200))[patients]
    right = (guesses(features, sources, [str(p) for p in patients]) == sources).mean()
    assert 0.2 < right < 0.8


@pytest.mark.parametrize("architecture", ["resnet18", "vgg16_bn", "densenet161"])
def test_the_last_layer_of_the_features_gives_the_logits(architecture: Architecture) -> None:
    assert architecture in ARCHITECTURES
    torch.manual_seed(0)
    network = build(architecture).eval()
    images = RNG.integers(0, 256, (3, 64, 64), dtype=np.uint8)
    features = penultimate(network, images)
    last = list(network.head.children())[-1]
    with torch.inference_mode():
        expected = network(torch.from_numpy(images[:, None])).numpy()
        assert last(torch.from_numpy(features).float()).numpy() == pytest.approx(expected, abs=1e-4)
