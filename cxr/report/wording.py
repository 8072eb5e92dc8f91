"""Findings and maps in words. Sentences say what the figures say and no more."""

from dataclasses import dataclass
from typing import Final

from cxr.anatomy.zones import LUNG_ZONES, Zone, ZoneShare
from cxr.labels import DISPLAY_NAMES, LABELS, Label
from cxr.model.bundle import ENSEMBLE
from cxr.pipeline import Finding, MemberFinding, Probabilities
from cxr.report.explanation import METHOD_NAMES, Method

NAMED: Final = 0.5  # the zones that a sentence names hold at least so much of the evidence between them,
MOST_NAMED: Final = 3  # or are as many,
LEAST: Final = 0.05  # and none holds less than this

MEAN_OF_MEMBERS: Final = "The map is the mean of the members' maps, each weighted by its probability of the label."


@dataclass(frozen=True, slots=True)
class Account:
    """What there is to tell about one map.

    finding:  the ensemble's answer
    target:   the label that the map is for
    method:   how the map was made
    member:   name of the explaining member, one of the finding's, or `ENSEMBLE`
    coverage: of the prediction set, 0 to 1
    zones:    where the map's positive evidence lies
    no_lungs: why the zones are thirds of the image; "" where they are of the lungs
    """

    finding: Finding
    target: Label
    method: Method
    member: str
    coverage: float
    zones: tuple[ZoneShare, ...]
    no_lungs: str

    @property
    def empty(self) -> bool:
        """The map has no positive evidence anywhere."""
        return not any(zone.share for zone in self.zones)

    @property
    def in_lungs(self) -> tuple[float, float]:
        """The lungs' share of the evidence and of the image's area."""
        lungs = [zone for zone in self.zones if zone.zone in LUNG_ZONES]
        return sum(zone.share for zone in lungs), sum(zone.area for zone in lungs)


def statement(account: Account, *others: Account) -> str:
    """What was found, how sure, and what the map shows, in three to six sentences.

    Other accounts are of the same finding, target and member by other methods: what they share is said once.
    """
    finding, accounts = account.finding, (account, *others)
    name, p = DISPLAY_NAMES[finding.prediction], finding.probabilities[finding.prediction]
    sentences = (
        f"The radiograph is classified as {name} with probability {figure(p)}.",
        set_in_words(finding, account.coverage),
        *(" ".join(filter(None, (evidence_in_words(each), lungs_in_words(each)))) for each in accounts),
        no_lungs_in_words(account),
        MEAN_OF_MEMBERS if account.member == ENSEMBLE else "",
        *(warning for each in accounts for warning in warnings(each)),
    )
    return " ".join(dict.fromkeys(sentence for sentence in sentences if sentence))


def warnings(account: Account) -> tuple[str, ...]:
    """What should make a reader doubt the map: evidence outside the lungs, a member unlike the ensemble."""
    return tuple(warning for warning in (outside(account), disagreement(account)) if warning)


def evidence_in_words(account: Account) -> str:
    """Where most of the evidence lies, in the manner of Karim et al. 2020."""
    finding, target = account.finding, account.target
    name = METHOD_NAMES[account.method]
    what = "evidence"
    if target != finding.prediction:
        p = figure(finding.probabilities[target])
        what = f"evidence for {DISPLAY_NAMES[target]} (not the prediction, probability {p})"
    if account.empty:
        return f"{name} finds no {what}."
    share, places = _most(account)
    return f"{name} locates {share} of the {what} {places}."


def places_of_most(account: Account) -> str:
    """The same without a verb, for the line under a picture."""
    return "no evidence: the map is empty" if account.empty else " ".join(_most(account))


def lungs_in_words(account: Account) -> str:
    """The lungs' share beside what chance would give them; empty where there is no share or there are no lungs."""
    if account.no_lungs or account.empty:
        return ""
    share, area = account.in_lungs
    strongest = max((zone for zone in account.zones if zone.zone in LUNG_ZONES), key=lambda zone: zone.share)
    place = places_in_words([strongest.zone], thirds=False).removeprefix("in ")
    return f"The lungs hold {percent(share)} of it on {percent(area)} of the image, {place} the largest part."


def no_lungs_in_words(account: Account) -> str:
    """That places are thirds of the image, and why; empty where they are of the lungs."""
    if not account.no_lungs:
        return ""
    return f"Places are thirds of the image, for the lungs could not be outlined: {account.no_lungs}."


def outside(account: Account) -> str:
    """A warning that most of the evidence lies outside the lungs; empty if it does not, or nobody knows."""
    if account.no_lungs or account.empty or account.in_lungs[0] >= 0.5:
        return ""
    return "Warning: most of the evidence lies outside the lungs. The network may have judged by something else."


def disagreement(account: Account) -> str:
    """A warning that the explaining member favours another label than the ensemble; empty if it does not."""
    if account.member == ENSEMBLE:
        return ""
    favourite, p = _favourite(_member(account.finding, account.member).probabilities)
    if favourite == account.finding.prediction:
        return ""
    return f"Warning: this network alone favours {DISPLAY_NAMES[favourite]} ({figure(p)}), unlike the ensemble."


def named_zones(zones: tuple[ZoneShare, ...]) -> list[ZoneShare]:
    """The fewest zones that hold most of the evidence, largest share first."""
    chosen: list[ZoneShare] = []
    for zone in sorted(zones, key=lambda zone: -zone.share)[:MOST_NAMED]:
        if chosen and (zone.share < LEAST or sum(other.share for other in chosen) >= NAMED):
            break
        chosen.append(zone)
    return chosen


def places_in_words(zones: list[Zone], thirds: bool) -> str:
    """Zones as an adverbial: "in the patient's left lower and middle zones", "outside the lungs"."""
    inside = [_side(side, [z for z in zones if z.startswith(side)], thirds) for side in _sides(zones)]
    if "mediastinum" in zones:
        inside.append("the mediastinum")
    words = f"in {_listed(inside)}" if inside else ""
    if "outside" in zones:
        words += ", and outside the lungs" if inside else "outside the lungs"
    return words


def set_in_words(finding: Finding, coverage: float) -> str:
    """A prediction set as a sentence: what cannot be ruled out, or that nothing fits."""
    at = f"at {percent(coverage)} coverage"
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


def figure(p: float) -> str:
    """A probability with two digits that never rounds to certainty."""
    if p < 0.005:
        return "under 0.01"
    return "over 0.99" if p >= 0.995 else f"{p:.2f}"


def percent(share: float) -> str:
    """A share of 1 in per cent."""
    return f"{100 * share:.0f} %"


def _most(account: Account) -> tuple[str, str]:
    """How much of the evidence lies in the named zones, and the zones in words."""
    chosen = named_zones(account.zones)
    places = places_in_words([zone.zone for zone in chosen], thirds=bool(account.no_lungs))
    return percent(sum(zone.share for zone in chosen)), places


def _sides(zones: list[Zone]) -> list[str]:
    """right, left, or both, in the order in which zones name them."""
    return list(dict.fromkeys(zone.split("_")[0] for zone in zones if zone in LUNG_ZONES))


def _side(side: str, zones: list[Zone], thirds: bool) -> str:
    levels = [zone.split("_")[1] for zone in zones]
    if thirds:
        return f"the image's {_listed(levels)} third{'s' * (len(levels) > 1)} on the patient's {side}"
    if len(levels) == 3:
        return f"the patient's {side} lung"
    return f"the patient's {side} {_listed(levels)} zone{'s' * (len(levels) > 1)}"


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _member(finding: Finding, name: str) -> MemberFinding:
    return next(member for member in finding.members if member.name == name)


def _favourite(probabilities: Probabilities) -> tuple[Label, float]:
    label = max(LABELS, key=lambda candidate: probabilities[candidate])
    return label, probabilities[label]
