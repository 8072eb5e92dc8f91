"""The full sentences that people will read."""

import dataclasses
from string import Formatter

import pytest

from cxr.anatomy.zones import ZONES, Zone, ZoneShare
from cxr.labels import Label
from cxr.model.bundle import ENSEMBLE, Pointing
from cxr.report import texts
from cxr.report.wording import (
    Account,
    disagreement,
    evidence_in_words,
    figure,
    lungs_in_words,
    named_zones,
    places_in_words,
    places_of_most,
    pointing_in_words,
    set_in_words,
    statement,
    warnings,
)
from tests.findings import make_finding

AREAS = {"mediastinum": 0.14, "outside": 0.5}


def zones(thirds: bool = False, **shares: float) -> tuple[ZoneShare, ...]:
    """Shares by zone; other zones have a share of 0. Each lung zone has 6 % of the area."""
    present = ZONES[:6] if thirds else ZONES
    return tuple(ZoneShare(zone, shares.get(zone, 0.0), 1 / 6 if thirds else AREAS.get(zone, 0.06)) for zone in present)


IN_LUNGS = zones(left_lower=0.36, left_middle=0.25, right_lower=0.04, mediastinum=0.15, outside=0.2)
BESIDE = zones(left_lower=0.2, right_upper=0.1, mediastinum=0.25, outside=0.45)

PLAIN = Account(make_finding(), "covid19", "gradcam_plus_plus", "resnet18-0", 0.9, IN_LUNGS, "")
DISAGREEING = make_finding((0.1, 0.3, 0.6), ("pneumonia", "covid19"), ((0.1, 0.7, 0.2), (0.0, 0.001, 0.999)))


def test_statement_in_the_papers_manner() -> None:
    assert statement(PLAIN) == (
        "The radiograph is classified as COVID-19 with probability 0.93. "
        "No other class fits at 90 % coverage. "
        "Grad-CAM++ locates 61 % of the evidence in the patient's left lower and middle zones. "
        "The lungs hold 65 % of it on 36 % of the image, the patient's left lower zone the largest part."
    )
    assert warnings(PLAIN) == ()


def test_statement_of_another_target_with_both_warnings() -> None:
    account = Account(DISAGREEING, "pneumonia", "lrp", "resnet18-0", 0.9, BESIDE, "")
    assert statement(account) == (
        "The radiograph is classified as COVID-19 with probability 0.60. "
        "Pneumonia and COVID-19 cannot be ruled out at 90 % coverage. "
        "LRP locates 70 % of the evidence for pneumonia (not the prediction, probability 0.30) in the mediastinum, "
        "and outside the lungs. "
        "The lungs hold 30 % of it on 36 % of the image, the patient's left lower zone the largest part. "
        "Warning: most of the evidence lies outside the lungs. The network may have relied on something else. "
        "Warning: this network alone favours pneumonia (0.70), unlike the ensemble."
    )
    assert len(warnings(account)) == 2


def test_statement_without_lungs_warns_of_no_place() -> None:
    shares = zones(thirds=True, right_lower=0.7, left_upper=0.3)
    account = Account(make_finding(), "covid19", "gradcam", "resnet18-0", 0.9, shares, "there are none")
    assert statement(account) == (
        "The radiograph is classified as COVID-19 with probability 0.93. "
        "No other class fits at 90 % coverage. "
        "Grad-CAM locates 70 % of the evidence in the image's lower third on the patient's right. "
        "Places are thirds of the image, because the lungs could not be outlined: there are none."
    )


def test_common_sentences_appear_once_for_several_methods() -> None:
    shares = zones(thirds=True, right_lower=0.7, left_upper=0.3)
    account = Account(make_finding(), "covid19", "gradcam", "resnet18-0", 0.9, shares, "there are none")
    assert statement(account, dataclasses.replace(account, method="lrp")).count("could not be outlined") == 1


def test_an_empty_map_has_no_places_and_no_warning_of_them() -> None:
    empty = dataclasses.replace(PLAIN, zones=zones())
    assert evidence_in_words(empty) == "Grad-CAM++ finds no evidence."
    assert places_of_most(empty) == "no evidence: the map is empty"
    assert lungs_in_words(empty) == ""
    assert warnings(empty) == ()
    other = dataclasses.replace(empty, target="normal")
    assert evidence_in_words(other) == "Grad-CAM++ finds no evidence for normal (not the prediction, probability 0.02)."


def test_the_ensembles_map_is_called_a_mean_without_a_warning_of_disagreement() -> None:
    account = Account(DISAGREEING, "covid19", "gradcam", ENSEMBLE, 0.9, IN_LUNGS, "")
    assert texts.MEAN_OF_MEMBERS in statement(account)
    assert disagreement(account) == ""
    assert texts.MEAN_OF_MEMBERS not in statement(PLAIN)


def test_a_member_that_agrees_causes_no_warning() -> None:
    account = Account(DISAGREEING, "covid19", "gradcam", "resnet18-1", 0.9, IN_LUNGS, "")
    assert disagreement(account) == ""
    assert "0.70" in disagreement(dataclasses.replace(account, member="resnet18-0"))


def test_several_methods_share_what_they_say_alike() -> None:
    others = (dataclasses.replace(PLAIN, method="gradcam", zones=BESIDE), dataclasses.replace(PLAIN, method="lrp"))
    words = statement(PLAIN, *others)
    assert words.count("The lungs hold 65 % of it") == 2, "what two methods share is said of each"
    assert words.count("is classified as") == 1
    assert words.count("at 90 % coverage") == 1
    assert [words.count(f"{name} locates") for name in ("Grad-CAM++", "Grad-CAM", "LRP")] == [1, 1, 1]
    assert words.endswith(warnings(others[0])[-1])


@pytest.mark.parametrize(
    ("chosen", "thirds", "expected"),
    [
        (["left_lower"], False, "in the patient's left lower zone"),
        (["left_lower", "left_middle"], False, "in the patient's left lower and middle zones"),
        (["left_lower", "left_upper", "left_middle"], False, "in the patient's left lung"),
        (
            ["left_lower", "right_upper"],
            False,
            "in the patient's left lower zone and the patient's right upper zone",
        ),
        (
            ["right_lower", "mediastinum", "right_upper"],
            False,
            "in the patient's right lower and upper zones and the mediastinum",
        ),
        (["outside"], False, "outside the lungs"),
        (["outside", "left_upper"], False, "in the patient's left upper zone, and outside the lungs"),
        (["mediastinum"], False, "in the mediastinum"),
        (["left_lower"], True, "in the image's lower third on the patient's left"),
        (
            ["left_lower", "left_upper", "right_middle"],
            True,
            "in the image's lower and upper thirds on the patient's left and "
            "the image's middle third on the patient's right",
        ),
    ],
)
def test_places(chosen: list[Zone], thirds: bool, expected: str) -> None:
    assert places_in_words(chosen, thirds) == expected


def test_named_zones_are_few_and_hold_most() -> None:
    assert [zone.zone for zone in named_zones(zones(outside=0.6, left_lower=0.4))] == ["outside"]
    assert [zone.zone for zone in named_zones(IN_LUNGS)] == ["left_lower", "left_middle"]
    even = tuple(ZoneShare(zone, 0.125, 0.125) for zone in ZONES)
    assert len(named_zones(even)) == 3
    assert len(named_zones(zones(left_lower=0.45, outside=0.04, mediastinum=0.04))) == 1


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ((), "Uncertain: at 90 % coverage none of the three classes fits."),
        (("covid19",), "No other class fits at 90 % coverage."),
        (("normal",), "Uncertain: at 90 % coverage the predicted class does not fit, but normal cannot be ruled out."),
        (("normal", "covid19"), "Normal and COVID-19 cannot be ruled out at 90 % coverage."),
        (
            ("normal", "pneumonia", "covid19"),
            "Uncertain: at 90 % coverage none of the three classes can be ruled out.",
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


def test_the_second_heads_map_is_described_as_marks_and_not_as_evidence() -> None:
    account = dataclasses.replace(PLAIN, method="opacity", zones=BESIDE)
    assert evidence_in_words(account) == (
        "The opacity head, trained on radiologists' boxes, places 70 % of the opacity in the mediastinum, "
        "and outside the lungs."
    )
    assert warnings(account) == (texts.MARKED_OUTSIDE,)
    assert "evidence" not in statement(account)
    assert evidence_in_words(dataclasses.replace(account, zones=zones())) == texts.MARKS_NONE


POINTING = Pointing(
    split="test", source="siim", images=413, hits={"gradcam_plus_plus": 0.364, "opacity": 0.912}, constant=0.74
)


def test_the_statement_says_how_often_such_a_map_is_right_beside_a_constant() -> None:
    account = dataclasses.replace(PLAIN, pointing=POINTING)
    said = (
        "In 36 of 100 test radiographs of siim that radiologists had marked, the strongest point of such a map of this "
        "network lay in a radiologist's box; a point that is always the same did in 74."
    )
    assert pointing_in_words(account) == said
    assert said in statement(account)
    assert said not in statement(account, dataclasses.replace(account, method="lrp")), "it is of one method"
    validated = POINTING.model_copy(update={"split": "val"})
    assert "100 validation radiographs" in pointing_in_words(dataclasses.replace(account, pointing=validated))


def test_no_sentence_about_a_method_or_label_that_was_not_measured() -> None:
    assert pointing_in_words(PLAIN) == ""
    assert pointing_in_words(dataclasses.replace(PLAIN, pointing=POINTING, method="lrp")) == ""
    assert pointing_in_words(dataclasses.replace(PLAIN, pointing=POINTING, target="normal")) == ""
    of_head = dataclasses.replace(PLAIN, pointing=POINTING, target="normal", method="opacity")
    assert pointing_in_words(of_head).startswith("In 91 of 100")


def test_every_text_is_filled_in_by_names_alone() -> None:
    """A translation may put the names in another order."""
    found = [value for value in vars(texts).values() if isinstance(value, str) and not value.startswith("cxr")]
    fields = {name for text in found for _, name, _, _ in Formatter().parse(text) if name is not None}
    assert "" not in fields
    assert len(fields) > 10
