"""The rules: the ends of intervals decide, and an unknown figure never gives a yes."""

import pytest

from cxr.labels import Label
from evaluation.figure import Figure
from study.site.verdict import SUITS, Answer, uses

COUNTS: dict[Label, int] = {"normal": 60, "pneumonia": 0, "covid19": 90}
FINE = Figure(0.02, 0.0, 0.05)
BEFORE = {
    "normal_auroc": Figure(0.9, 0.85, 0.95),
    "covid19_auroc": Figure(0.8, 0.74, 0.86),
    **{
        f"{label}_{kind}": Figure(0.8, 0.72, 0.9)
        for label in ("normal", "covid19")
        for kind in ("recall", "specificity")
    },
}
AFTER = {
    "conformal/normal/coverage": Figure(0.86, 0.78, 0.92),
    "conformal/covid19/coverage": Figure(0.91, 0.85, 0.95),
    "ece": Figure(0.06, 0.04, 0.09),
    "if_calibrated/ece": Figure(0.05, 0.03, 0.08),
}


def answers(
    before: dict[str, Figure] = BEFORE, after: dict[str, Figure] = AFTER, doubted: Figure = FINE
) -> list[Answer]:
    return [use.answer for use in uses(COUNTS, doubted, before, after, 0.9)]


def test_each_rule() -> None:
    assert answers() == ["yes", "yes", "no", "yes", "yes", "yes"]  # suits, normal, COVID-19, sets, probabilities, label
    assert answers(doubted=Figure(0.2, 0.15, 0.25))[0] == "no"
    assert answers(after=AFTER | {"conformal/normal/coverage": Figure(0.8, 0.7, 0.89)})[3] == "no"
    assert answers(after=AFTER | {"ece": Figure(0.12, 0.08, 0.15)})[4] == "no"
    assert answers(before=BEFORE | {"normal_recall": Figure(0.75, 0.66, 0.85)})[5] == "no"


def test_unknown_figures_never_give_a_yes() -> None:
    assert answers(before={}, after={}) == ["yes", *["not known"] * 5]


@pytest.mark.parametrize("after", [AFTER, {}])
def test_the_first_is_what_all_need_and_reasons_have_figures(after: dict[str, Figure]) -> None:
    first, *_, last = uses(COUNTS, FINE, BEFORE, after, 0.9)
    assert first.use == SUITS
    assert "2%" in first.why
    assert "0.72" in last.why
