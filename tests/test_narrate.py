"""Sentences, in full: what people will read."""

import pytest

from cxr.labels import Label
from cxr.narrate import caption, figure, set_in_words, statement
from tests.findings import make_finding


def test_statement_of_a_plain_finding() -> None:
    assert statement(make_finding(), "covid19", "gradcam_plus_plus", "resnet18-0", 0.9, empty=False) == (
        "The radiograph is classified as COVID-19 with probability 0.93. "
        "No other class fits at 90% coverage. "
        "The Grad-CAM++ map shows where the network resnet18-0 found evidence for it."
    )


def test_statement_of_another_target_an_empty_map_and_a_member_that_disagrees() -> None:
    finding = make_finding((0.1, 0.3, 0.6), ("pneumonia", "covid19"), ((0.1, 0.7, 0.2), (0.0, 0.001, 0.999)))
    assert statement(finding, "pneumonia", "gradcam", "resnet18-0", 0.9, empty=True) == (
        "The radiograph is classified as COVID-19 with probability 0.60. "
        "Pneumonia and COVID-19 cannot be ruled out at 90% coverage. "
        "The Grad-CAM map shows where the network resnet18-0 found evidence for pneumonia, "
        "which is not the prediction (probability 0.30). "
        "The network found none: the map is empty. "
        "This network alone favours pneumonia (0.70), unlike the ensemble."
    )
    assert "alone favours" not in statement(finding, "covid19", "gradcam", "resnet18-1", 0.9, empty=False)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ((), "Uncertain: at 90% coverage none of the three classes fits."),
        (("covid19",), "No other class fits at 90% coverage."),
        (("normal",), "Uncertain: at 90% coverage the predicted class does not fit, but normal cannot be ruled out."),
        (("normal", "covid19"), "Normal and COVID-19 cannot be ruled out at 90% coverage."),
        (
            ("normal", "pneumonia", "covid19"),
            "Uncertain: at 90% coverage none of the three classes can be ruled out.",
        ),
    ],
)
def test_prediction_sets(labels: tuple[Label, ...], expected: str) -> None:
    assert set_in_words(make_finding(prediction_set=labels), 0.9) == expected


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        (0.0, "under 0.01"),
        (0.0049, "under 0.01"),
        (0.0051, "0.01"),
        (0.5, "0.50"),
        (0.994, "0.99"),
        (0.995, "over 0.99"),
        (1.0, "over 0.99"),
    ],
)
def test_no_figure_says_certainty(p: float, expected: str) -> None:
    assert figure(p) == expected


def test_caption_has_the_same_figures() -> None:
    words = caption(make_finding(), "normal", "gradcam", "resnet18-0", 0.9, empty=False)
    assert words.headline == "COVID-19, probability 0.93"
    assert words.detail == "Map: evidence for normal, which is not the prediction, by Grad-CAM of resnet18-0"
    assert words.notes == ("No other class fits at 90% coverage.",)
    assert words.probabilities == (
        ("normal", 0.02, "0.02"),
        ("pneumonia", 0.05, "0.05"),
        ("COVID-19", 0.93, "0.93"),
    )
    assert words.marked == 0
