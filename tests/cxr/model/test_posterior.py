"""Posteriors: closed forms, the paper's equation 2 taken literally, and the three rules with a real bundle."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cxr.arrays import Floats
from cxr.labels import LABELS, Label
from cxr.model.bundle import Bundle
from cxr.model.posterior import (
    ENSEMBLE_RULES,
    EnsembleRule,
    combine,
    pm,
    prediction_set,
    scpa,
    scpa_eq2,
    softmax,
)
from cxr.pipeline import Classifier, Finding
from tests import files
from tests.bundles import variant

LN2, LN5 = math.log(2), math.log(5)
E = math.e


@pytest.mark.parametrize(
    ("logits", "temperature", "expected"),
    [
        ([0, LN2, LN5], 1, [1 / 8, 2 / 8, 5 / 8]),
        ([0, 2 * LN2, 2 * LN5], 2, [1 / 8, 2 / 8, 5 / 8]),
        ([0, LN2 / 2, LN5 / 2], 0.5, [1 / 8, 2 / 8, 5 / 8]),
        ([1e4, 1e4 + LN2, 1e4 + LN5], 1, [1 / 8, 2 / 8, 5 / 8]),
        ([7, 7, 7], 3, [1 / 3, 1 / 3, 1 / 3]),
        ([-1e4, 0, 1e4], 1, [0, 0, 1]),
    ],
)
def test_softmax_in_closed_form(logits: list[float], temperature: float, expected: list[float]) -> None:
    np.testing.assert_allclose(softmax(np.array(logits), temperature), expected, rtol=1e-10, atol=0)


def test_softmax_of_float32_logits_is_computed_in_float64() -> None:
    logits = np.array([[3.0, -20.0, 1.5], [0.1, 0.2, 0.3]], np.float32)
    posterior = softmax(logits, 0.7)
    assert posterior.dtype == np.float64
    np.testing.assert_allclose(posterior.sum(axis=-1), 1, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(posterior, softmax(logits.astype(np.float64), 0.7))


def test_temperature_softens_or_sharpens_and_never_changes_the_label() -> None:
    logits = np.random.default_rng(0).normal(size=(50, 3)) * 4
    cold, warm = softmax(logits, 0.25), softmax(logits, 4.0)
    assert (cold.max(axis=1) > softmax(logits).max(axis=1)).all()
    assert (warm.max(axis=1) < softmax(logits).max(axis=1)).all()
    assert (cold.argmax(axis=1) == warm.argmax(axis=1)).all()


# Two members, three images: they agree; the first is more certain; the second is more certain.
MEMBERS = np.array(
    [
        [[0.7, 0.2, 0.1], [0.9, 0.1, 0.0], [0.5, 0.3, 0.2]],
        [[0.5, 0.4, 0.1], [0.2, 0.8, 0.0], [0.0, 0.4, 0.6]],
    ]
)


def test_scpa_is_the_mean() -> None:
    np.testing.assert_allclose(scpa(MEMBERS), [[0.6, 0.3, 0.1], [0.55, 0.45, 0], [0.25, 0.35, 0.4]], atol=1e-15)


def test_pm_is_the_most_certain_members_posterior() -> None:
    np.testing.assert_array_equal(pm(MEMBERS), [[0.7, 0.2, 0.1], [0.9, 0.1, 0.0], [0.0, 0.4, 0.6]])
    np.testing.assert_array_equal(pm(MEMBERS[::-1]), pm(MEMBERS))


def test_equation_2_is_a_softmax_of_summed_posteriors() -> None:
    expected = np.exp([1.2, 0.6, 0.2]) / np.exp([1.2, 0.6, 0.2]).sum()
    np.testing.assert_allclose(scpa_eq2(MEMBERS)[0], expected, rtol=1e-14)
    assert (scpa_eq2(MEMBERS).argmax(axis=1) == scpa(MEMBERS).argmax(axis=1)).all()


@pytest.mark.parametrize("members", [1, 2, 5])
def test_equation_2_never_lets_certain_members_be_certain(members: int) -> None:
    certain = np.tile([0.0, 0.0, 1.0], (members, 1, 1))
    expected = E**members / (E**members + 2)
    np.testing.assert_allclose(scpa_eq2(certain)[0, 2], expected, rtol=1e-14)
    assert members > 1 or round(expected, 3) == 0.576


@pytest.mark.parametrize("rule", ENSEMBLE_RULES)
def test_every_rule_gives_probabilities(rule: EnsembleRule) -> None:
    logits = np.random.default_rng(1).normal(size=(4, 20, 3)).astype(np.float32) * 5
    posterior = combine(logits, 1.7, rule)
    assert posterior.shape == (20, 3)
    assert (posterior >= 0).all()
    np.testing.assert_allclose(posterior.sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("rule", ["scpa", "pm"])
def test_one_member_is_its_own_ensemble(rule: EnsembleRule) -> None:
    logits = np.random.default_rng(2).normal(size=(1, 5, 3))
    np.testing.assert_allclose(combine(logits, 2.0, rule), softmax(logits[0], 2.0), rtol=1e-15)


def test_members_are_calibrated_before_they_are_combined() -> None:
    logits = np.array([[[0.0, 0.0, 6.0]], [[2.0, 0.0, 0.0]]])
    expected = (softmax(logits[0], 3.0) + softmax(logits[1], 3.0)) / 2
    np.testing.assert_allclose(combine(logits, 3.0, "scpa"), expected, rtol=1e-14)
    assert not np.allclose(softmax(logits.mean(axis=0), 3.0), expected, atol=1e-2)


# --- Properties for any logits

NUMBERS = st.floats(-50, 50)
LOGITS = st.tuples(st.integers(1, 4), st.integers(1, 5)).flatmap(
    lambda shape: arrays(np.float64, (*shape, len(LABELS)), elements=NUMBERS)
)
TEMPERATURES = st.floats(0.1, 10)


@given(LOGITS, NUMBERS, TEMPERATURES)
def test_only_differences_of_logits_count(logits: Floats, shift: float, temperature: float) -> None:
    np.testing.assert_allclose(softmax(logits + shift, temperature), softmax(logits, temperature), atol=1e-9)


@given(LOGITS, TEMPERATURES, st.sampled_from(ENSEMBLE_RULES))
def test_the_posterior_is_a_probability_and_an_image_does_not_change_its_neighbours(
    logits: Floats, temperature: float, rule: EnsembleRule
) -> None:
    posterior = combine(logits, temperature, rule)
    np.testing.assert_allclose(posterior.sum(axis=-1), 1, atol=1e-12)
    for image in range(logits.shape[1]):
        np.testing.assert_allclose(combine(logits[:, image : image + 1], temperature, rule)[0], posterior[image])


@given(LOGITS, TEMPERATURES, st.sampled_from(ENSEMBLE_RULES))
def test_labels_have_no_order(logits: Floats, temperature: float, rule: EnsembleRule) -> None:
    turned = combine(logits[..., [1, 2, 0]], temperature, rule)
    np.testing.assert_allclose(turned, combine(logits, temperature, rule)[:, [1, 2, 0]], atol=1e-12)


@given(LOGITS, TEMPERATURES)
def test_rules_lie_between_the_members(logits: Floats, temperature: float) -> None:
    posteriors = softmax(logits, temperature)
    for rule in (scpa, pm):
        assert (rule(posteriors) >= posteriors.min(axis=0) - 1e-12).all()
        assert (rule(posteriors) <= posteriors.max(axis=0) + 1e-12).all()
    assert (pm(posteriors).max(axis=-1) == posteriors.max(axis=(0, -1))).all()


@given(arrays(np.float64, len(LABELS), elements=st.floats(0, 1)), st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_a_larger_threshold_never_removes_a_label(posterior: Floats, values: list[float]) -> None:
    small = dict(zip(LABELS, values, strict=True))
    large = {label: value + 0.1 for label, value in small.items()}
    assert set(prediction_set(posterior, small)) <= set(prediction_set(posterior, large))


# --- Prediction sets

HALF: dict[Label, float] = {"normal": 0.5, "pneumonia": 0.5, "covid19": 0.5}


@pytest.mark.parametrize(
    ("posterior", "thresholds", "expected"),
    [
        ([0.1, 0.1, 0.8], HALF, ("covid19",)),
        ([0.5, 0.25, 0.25], HALF, ("normal",)),  # at the threshold a label stays
        ([0.5, 0.5, 0.0], HALF, ("normal", "pneumonia")),
        ([0.4, 0.3, 0.3], HALF, ()),
        ([0.4, 0.3, 0.3], HALF | {"covid19": 0.75}, ("covid19",)),  # each label has its own
        ([0.0, 0.0, 1.0], dict.fromkeys(LABELS, 1.0), LABELS),
        ([0.0, 0.0, 1.0], dict.fromkeys(LABELS, 0.0), ("covid19",)),
        ([0.1, 0.1, 0.8], dict.fromkeys(LABELS, 0.0), ()),
    ],
)
def test_prediction_set(posterior: list[float], thresholds: dict[Label, float], expected: tuple[Label, ...]) -> None:
    assert prediction_set(np.array(posterior), thresholds) == expected


# --- With a bundle of two members of different architecture


@pytest.fixture(scope="module")
def findings(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> dict[EnsembleRule, Finding]:
    """The finding of each rule for a real radiograph. A temperature makes random networks differ like trained ones."""
    root = tmp_path_factory.mktemp("rules")
    content = files.radiograph_png()
    return {
        rule: Classifier(variant(bundle, root / rule, ensemble=rule, temperature=0.05)).classify(content)
        for rule in ENSEMBLE_RULES
    }


def values(probabilities: dict[Label, float]) -> Floats:
    assert tuple(probabilities) == LABELS
    return np.array(list(probabilities.values()))


def test_two_architectures_make_the_three_rules_differ(findings: dict[EnsembleRule, Finding]) -> None:
    answers = [values(findings[rule].probabilities) for rule in ENSEMBLE_RULES]
    distances = [np.abs(a - b).max() for i, a in enumerate(answers) for b in answers[:i]]
    assert len(distances) == 3
    assert min(distances) > 0.01
    for rule, finding in findings.items():
        assert finding.ensemble == rule
        assert {member.architecture for member in finding.members} == {"resnet18", "vgg16_bn"}
        assert finding.probabilities[finding.prediction] == max(finding.probabilities.values())


def test_the_answers_follow_from_the_members(findings: dict[EnsembleRule, Finding]) -> None:
    members = np.array([values(member.probabilities) for member in findings["scpa"].members])
    np.testing.assert_allclose(values(findings["scpa"].probabilities), members.mean(axis=0), rtol=1e-12)
    summed = np.exp(members.sum(axis=0))
    np.testing.assert_allclose(values(findings["scpa_eq2"].probabilities), summed / summed.sum(), rtol=1e-12)
    surest = members[members.max(axis=1).argmax()]
    np.testing.assert_allclose(values(findings["pm"].probabilities), surest, rtol=1e-12)


def test_thresholds_of_the_bundle_make_the_set(bundle: Bundle, tmp_path: Path) -> None:
    content = files.radiograph_png()
    thresholds = {"normal": 1.0, "pneumonia": 0.0, "covid19": 1.0}
    changed = variant(bundle, tmp_path / "some", conformal={"coverage": 0.8, "thresholds": thresholds})
    assert Classifier(changed).classify(content).prediction_set == ("normal", "covid19")
    none = variant(bundle, tmp_path / "none", conformal={"coverage": 0.8, "thresholds": dict.fromkeys(LABELS, 0.0)})
    assert Classifier(none).classify(content).prediction_set == ()
