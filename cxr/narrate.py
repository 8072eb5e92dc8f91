"""Findings in words. Sentences say what the figures say and no more: nothing about places in the lung yet."""

from typing import Final

from cxr.explanation import METHOD_NAMES, Method
from cxr.labels import DISPLAY_NAMES, LABELS, Label
from cxr.pipeline import Finding, MemberFinding, Probabilities
from cxr.render import Caption

NO_EVIDENCE: Final = "The network found none: the map is empty."


def statement(finding: Finding, target: Label, method: Method, member: str, coverage: float, empty: bool) -> str:
    """What was found, how sure, and what the map shows, in two to five sentences.

    Args:
        finding: the ensemble's answer.
        target: the label that the map is for.
        method: how the map was made.
        member: name of the explaining member, one of the finding's.
        coverage: of the prediction set, 0 to 1.
        empty: the map is zero everywhere.
    """
    name, p = DISPLAY_NAMES[finding.prediction], finding.probabilities[finding.prediction]
    sentences = (
        f"The radiograph is classified as {name} with probability {figure(p)}.",
        set_in_words(finding, coverage),
        _map_in_words(finding, target, method, member),
        NO_EVIDENCE if empty else "",
        disagreement(finding, member),
    )
    return " ".join(sentence for sentence in sentences if sentence)


def caption(finding: Finding, target: Label, method: Method, member: str, coverage: float, empty: bool) -> Caption:
    """The same for the picture; arguments as for `statement`."""
    name = DISPLAY_NAMES[finding.prediction]
    aside = "" if target == finding.prediction else ", which is not the prediction"
    notes = (set_in_words(finding, coverage), NO_EVIDENCE if empty else "", disagreement(finding, member))
    return Caption(
        headline=f"{name[0].upper()}{name[1:]}, probability {figure(finding.probabilities[finding.prediction])}",
        detail=f"Map: evidence for {DISPLAY_NAMES[target]}{aside}, by {METHOD_NAMES[method]} of {member}",
        notes=tuple(note for note in notes if note),
        probabilities=tuple(
            (DISPLAY_NAMES[label], finding.probabilities[label], figure(finding.probabilities[label]))
            for label in LABELS
        ),
        marked=LABELS.index(target),
    )


def set_in_words(finding: Finding, coverage: float) -> str:
    """A prediction set as a sentence: what cannot be ruled out, or that nothing fits."""
    at = f"at {coverage:.0%} coverage"
    names = [DISPLAY_NAMES[label] for label in finding.prediction_set]
    if not names:
        return f"Uncertain: {at} none of the three classes fits."
    if len(names) == len(LABELS):
        return f"Uncertain: {at} none of the three classes can be ruled out."
    if finding.prediction_set == (finding.prediction,):
        return f"No other class fits {at}."  # not "ruled out": a radiograph excludes no COVID-19
    listed = " and ".join(names)
    if finding.prediction not in finding.prediction_set:
        return f"Uncertain: {at} the predicted class does not fit, but {listed} cannot be ruled out."
    return f"{listed[0].upper()}{listed[1:]} cannot be ruled out {at}."


def disagreement(finding: Finding, member: str) -> str:
    """That the explaining member favours another label than the ensemble; empty if it does not."""
    favourite, p = _favourite(_member(finding, member).probabilities)
    if favourite == finding.prediction:
        return ""
    return f"This network alone favours {DISPLAY_NAMES[favourite]} ({figure(p)}), unlike the ensemble."


def figure(p: float) -> str:
    """A probability with two digits that never rounds to certainty."""
    if p < 0.005:
        return "under 0.01"
    return "over 0.99" if p >= 0.995 else f"{p:.2f}"


def _map_in_words(finding: Finding, target: Label, method: Method, member: str) -> str:
    shown = f"The {METHOD_NAMES[method]} map shows where the network {member} found evidence for"
    if target == finding.prediction:
        return f"{shown} it."
    p = figure(finding.probabilities[target])
    return f"{shown} {DISPLAY_NAMES[target]}, which is not the prediction (probability {p})."


def _member(finding: Finding, name: str) -> MemberFinding:
    return next(member for member in finding.members if member.name == name)


def _favourite(probabilities: Probabilities) -> tuple[Label, float]:
    label = max(LABELS, key=lambda candidate: probabilities[candidate])
    return label, probabilities[label]
