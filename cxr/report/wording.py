"""Put findings and maps into the sentences of `cxr.report.texts`. The sentences state the figures and nothing more."""

from dataclasses import dataclass
from typing import Final

from cxr.anatomy.zones import LUNG_ZONES, Zone, ZoneShare
from cxr.labels import DISPLAY_NAMES, LABELS, Label
from cxr.model.bundle import ENSEMBLE, Pointing
from cxr.pipeline import Finding, MemberFinding, Probabilities
from cxr.report import texts
from cxr.report.explanation import METHOD_NAMES, TAUGHT, Method

NAMED: Final = 0.5  # a sentence names zones until together they hold at least this share of the evidence,
MOST_NAMED: Final = 3  # or until there are this many,
LEAST: Final = 0.05  # and it names no zone with a smaller share than this


@dataclass(frozen=True, slots=True)
class Account:
    """The facts that the sentences about one map state.

    finding:  the ensemble's answer
    target:   the label that the map is for
    method:   how the map was made
    member:   name of the explaining member, one of the finding's, or `ENSEMBLE`
    coverage: of the prediction set, 0 to 1
    zones:    where the map's positive evidence lies
    no_lungs: why the zones are thirds of the image; "" if they are of the lungs
    pointing: how often the member's maps point at regions that radiologists marked; None if unknown
    """

    finding: Finding
    target: Label
    method: Method
    member: str
    coverage: float
    zones: tuple[ZoneShare, ...]
    no_lungs: str
    pointing: Pointing | None = None

    @property
    def taught(self) -> bool:
        """Whether the map comes from the second head and is not evidence for a label."""
        return self.method in TAUGHT

    @property
    def empty(self) -> bool:
        """Whether the map has no positive evidence anywhere."""
        return not any(zone.share for zone in self.zones)

    @property
    def in_lungs(self) -> tuple[float, float]:
        """The lungs' share of the evidence and of the image's area."""
        lungs = [zone for zone in self.zones if zone.zone in LUNG_ZONES]
        return sum(zone.share for zone in lungs), sum(zone.area for zone in lungs)


def statement(account: Account, *others: Account) -> str:
    """The finding, its certainty, what the map shows, and how often such a map is right, in three to seven sentences.

    `others` are accounts of the same finding, target and member by other methods. What they share is stated once.
    """
    finding, accounts = account.finding, (account, *others)
    name, p = DISPLAY_NAMES[finding.prediction], finding.probabilities[finding.prediction]
    sentences = (
        texts.CLASSIFIED.format(label=name, p=figure(p)),
        set_in_words(finding, account.coverage),
        *(" ".join(filter(None, (evidence_in_words(each), lungs_in_words(each)))) for each in accounts),
        no_lungs_in_words(account),
        pointing_in_words(account) if not others else "",
        texts.MEAN_OF_MEMBERS if account.member == ENSEMBLE else "",
        *(warning for each in accounts for warning in warnings(each)),
    )
    return " ".join(dict.fromkeys(sentence for sentence in sentences if sentence))


def warnings(account: Account) -> tuple[str, ...]:
    """Reasons to doubt the map: evidence outside the lungs, or a member that disagrees with the ensemble."""
    return tuple(warning for warning in (outside(account), disagreement(account)) if warning)


def evidence_in_words(account: Account) -> str:
    """Where most of the evidence, or of the marked opacity, lies; worded as in Karim et al. 2020."""
    share, places = _most(account)
    if account.taught:
        return texts.MARKS_NONE if account.empty else texts.MARKS.format(share=share, places=places)
    finding, target = account.finding, account.target
    name, what = METHOD_NAMES[account.method], texts.EVIDENCE
    if target != finding.prediction:
        p = figure(finding.probabilities[target])
        what = texts.EVIDENCE_FOR.format(label=DISPLAY_NAMES[target], p=p)
    if account.empty:
        return texts.FINDS_NONE.format(method=name, what=what)
    return texts.LOCATES.format(method=name, share=share, what=what, places=places)


def places_of_most(account: Account) -> str:
    """The same as a phrase, for the line under a picture."""
    return texts.EMPTY if account.empty else " ".join(_most(account))


def lungs_in_words(account: Account) -> str:
    """The lungs' share of the evidence and of the area; empty without evidence or without lungs."""
    if account.no_lungs or account.empty:
        return ""
    share, area = account.in_lungs
    strongest = max((zone for zone in account.zones if zone.zone in LUNG_ZONES), key=lambda zone: zone.share)
    place = zone_in_words(strongest.zone, thirds=False)
    return texts.LUNGS_HOLD.format(share=percent(share), area=percent(area), place=place)


def pointing_in_words(account: Account) -> str:
    """How often such a map is right, compared with a constant map; empty if unknown, and for the label normal."""
    known = account.pointing
    hits = known.hits.get(account.method) if known else None
    if known is None or hits is None or (account.target == "normal" and not account.taught):
        return ""
    images, constant = texts.IMAGES[known.split], f"{100 * known.constant:.0f}"
    return texts.POINTS.format(hits=f"{100 * hits:.0f}", constant=constant, images=images, source=known.source)


def no_lungs_in_words(account: Account) -> str:
    """Says that places are thirds of the image, and why; empty if they are of the lungs."""
    if not account.no_lungs:
        return ""
    return texts.THIRDS.format(reason=account.no_lungs)


def outside(account: Account) -> str:
    """A warning that most of the evidence lies outside the lungs; empty if it does not, or if that is unknown."""
    if account.no_lungs or account.empty or account.in_lungs[0] >= 0.5:
        return ""
    return texts.MARKED_OUTSIDE if account.taught else texts.OUTSIDE


def disagreement(account: Account) -> str:
    """A warning that the explaining member favours another label than the ensemble; empty if it does not."""
    if account.member == ENSEMBLE:
        return ""
    favourite, p = _favourite(_member(account.finding, account.member).probabilities)
    if favourite == account.finding.prediction:
        return ""
    return texts.DISAGREES.format(label=DISPLAY_NAMES[favourite], p=figure(p))


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
        inside.append(texts.MEDIASTINUM)
    words = texts.WITHIN.format(places=_listed(inside)) if inside else ""
    if "outside" in zones:
        return texts.AND_BESIDE.format(within=words) if inside else texts.BESIDE
    return words


def zone_in_words(zone: Zone, thirds: bool) -> str:
    """The name of one zone."""
    if zone == "mediastinum":
        return texts.MEDIASTINUM
    return texts.BESIDE if zone == "outside" else _side(zone.split("_")[0], [zone], thirds)


def set_in_words(finding: Finding, coverage: float) -> str:
    """A prediction set as a sentence: which labels cannot be ruled out, or that none fits."""
    at = percent(coverage)
    names = [DISPLAY_NAMES[label] for label in finding.prediction_set]
    if not names:
        return texts.NOTHING_FITS.format(coverage=at)
    if len(names) == len(LABELS):
        return texts.NOTHING_RULED_OUT.format(coverage=at)
    if finding.prediction_set == (finding.prediction,):
        return texts.ALONE.format(coverage=at)
    listed = texts.AND.join(names)
    if finding.prediction not in finding.prediction_set:
        return texts.NOT_THE_PREDICTION.format(coverage=at, labels=listed)
    return texts.NOT_RULED_OUT.format(labels=f"{listed[0].upper()}{listed[1:]}", coverage=at)


def figure(p: float) -> str:
    """A probability with two digits, never rounded to 0 or 1."""
    if p < 0.005:
        return texts.UNDER
    return texts.OVER if p >= 0.995 else f"{p:.2f}"


def percent(share: float) -> str:
    """A fraction as a percentage."""
    return f"{100 * share:.0f} %"


def _most(account: Account) -> tuple[str, str]:
    """The share of the evidence in the named zones, and the zones in words."""
    chosen = named_zones(account.zones)
    places = places_in_words([zone.zone for zone in chosen], thirds=bool(account.no_lungs))
    return percent(sum(zone.share for zone in chosen)), places


def _sides(zones: list[Zone]) -> list[str]:
    """right, left or both, in the order of the zones."""
    return list(dict.fromkeys(zone.split("_")[0] for zone in zones if zone in LUNG_ZONES))


def _side(side: str, zones: list[Zone], thirds: bool) -> str:
    levels = [texts.LEVELS[zone.split("_")[1]] for zone in zones]
    several = len(levels) > 1
    if thirds:
        text = texts.THIRDS_OF_SIDE if several else texts.THIRD
    elif len(levels) == len(texts.LEVELS):
        text = texts.WHOLE_LUNG
    else:
        text = texts.ZONES if several else texts.ZONE
    return text.format(side=texts.SIDES[side], levels=_listed(levels))


def _listed(words: list[str]) -> str:
    return texts.AND.join([texts.COMMA.join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _member(finding: Finding, name: str) -> MemberFinding:
    return next(member for member in finding.members if member.name == name)


def _favourite(probabilities: Probabilities) -> tuple[Label, float]:
    label = max(LABELS, key=lambda candidate: probabilities[candidate])
    return label, probabilities[label]
