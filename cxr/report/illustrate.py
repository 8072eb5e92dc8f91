"""From a map to an explanation: zones, words, boxes and pictures. Needs no torch."""

from collections.abc import Mapping
from dataclasses import dataclass

from cxr.anatomy.boxes import critical_regions, opacity_boxes
from cxr.anatomy.lungs import LungSegmenter, NoLungs
from cxr.anatomy.outlines import outlines
from cxr.anatomy.zones import ZoneMap, shares, zones_of
from cxr.labels import DISPLAY_NAMES, LABELS, Label
from cxr.model.bundle import ENSEMBLE, Bundle
from cxr.pipeline import Finding, Prepared, Stopwatch
from cxr.report import texts
from cxr.report.explanation import METHOD_NAMES, METHODS, SIGNED, TAUGHT, Explanation, Method, Panel
from cxr.report.heatmap import PlacedMap, heatmap_png, small
from cxr.report.pictures import Drawing
from cxr.report.render import Caption, Layer, overlay, panel
from cxr.report.wording import (
    Account,
    evidence_in_words,
    figure,
    lungs_in_words,
    no_lungs_in_words,
    places_of_most,
    pointing_in_words,
    set_in_words,
    statement,
    warnings,
)

NO_SEGMENTER = NoLungs("this model has no lung segmenter")


@dataclass(frozen=True, slots=True)
class Question:
    """What a map is made for: a radiograph, its finding, the target label, and the member.

    `member` is a member's name or `cxr.model.bundle.ENSEMBLE`.
    """

    prepared: Prepared
    finding: Finding
    target: Label
    member: str


class Illustrator:
    """Makes zones, words and pictures for the maps of a bundle's networks. Safe to call from several threads."""

    def __init__(self, bundle: Bundle) -> None:
        """Raises BundleError unless the lung segmenter, if the bundle has one, matches its description."""
        manifest = bundle.manifest
        # If a frame is cut out by the lungs, they have been segmented already.
        self._lungs = LungSegmenter(bundle, manifest.lungs) if manifest.lungs and not manifest.sees_lungs else None
        self._manifest = manifest

    def explanation(
        self,
        question: Question,
        method: Method,
        placed: PlacedMap,
        conservation_error: float | None,
        drawing: Drawing,
        watch: Stopwatch,
    ) -> Explanation:
        """The explanation of one map over a frame. Adds the stages lungs and render to `watch`.

        Pictures, zones and boxes refer to the whole radiograph.
        """
        radiograph, signed = question.prepared.radiograph, method in SIGNED
        heatmap, place = placed.heatmap, placed.place
        with watch.stage("lungs"):
            where = self._zones(question.prepared)
        account = self._account(question, method, placed, where)
        with watch.stage("render"):
            borders = outlines(where)
            text = texts.TAUGHT_TITLE if method in TAUGHT else texts.TITLE
            title = text.format(method=METHOD_NAMES[method], label=DISPLAY_NAMES[question.target])
            layer = Layer(heatmap, title, "", signed, place)
            picture = overlay(radiograph.pixels, layer, borders, _caption(account)) if drawing.overlay else None
            size = radiograph.shape if drawing.full_size else small(radiograph.shape)
            grey = heatmap_png(heatmap, size, signed, place) if drawing.heatmap else None
        return Explanation(
            method=method,
            target=question.target,
            member=question.member,
            heatmap_png=grey,
            overlay=picture,
            statement=statement(account),
            warnings=warnings(account),
            zones=account.zones,
            no_lungs=account.no_lungs,
            boxes=(opacity_boxes if method in TAUGHT else critical_regions)(heatmap, radiograph, place),
            conservation_error=conservation_error,
            timings_ms=watch.timings_ms,
            outlines=borders,
        )

    def panel(self, question: Question, maps: Mapping[Method, PlacedMap]) -> Panel:
        """The radiograph beside its maps by all given methods, in the order of the paper's figures."""
        prepared = question.prepared
        where = self._zones(prepared)
        accounts = {
            method: self._account(question, method, maps[method], where) for method in METHOD_NAMES if method in maps
        }
        layers = tuple(
            Layer(placed.heatmap, METHOD_NAMES[method], places_of_most(account), method in SIGNED, placed.place)
            for method, account in accounts.items()
            for placed in [maps[method]]
        )
        picture = panel(prepared.radiograph.pixels, layers, outlines(where), _panel_caption(accounts[METHODS[0]]))
        return Panel(picture, statement(*accounts.values()))

    def _zones(self, prepared: Prepared) -> ZoneMap:
        """The zones, from lungs that were segmented for a frame or are segmented now."""
        found = prepared.lungs or (self._lungs.find(prepared.radiograph.pixels) if self._lungs else NO_SEGMENTER)
        return zones_of(found)

    def _account(self, question: Question, method: Method, placed: PlacedMap, where: ZoneMap) -> Account:
        zones = shares(placed.heatmap, where, placed.place)
        manifest = self._manifest
        return Account(
            question.finding,
            question.target,
            method,
            question.member,
            manifest.conformal.coverage,
            zones,
            where.no_lungs,
            manifest.pointing if question.member == manifest.explainer else None,
        )


def _caption(account: Account) -> Caption:
    """The text of a picture of one map."""
    notes = (
        set_in_words(account.finding, account.coverage),
        evidence_in_words(account),
        lungs_in_words(account),
        no_lungs_in_words(account),
        pointing_in_words(account),
        *warnings(account),
    )
    return _with_figures(account, texts.TAUGHT_MAP if account.taught else texts.MAP, notes)


def _panel_caption(account: Account) -> Caption:
    """The text of a picture of several maps. Zones are written under each map; warnings are those of one of them."""
    word, named = texts.WARNING_OF
    named = named.format(method=METHOD_NAMES[account.method])
    doubts = (warning.replace(word, named, 1) for warning in warnings(account))
    notes = (set_in_words(account.finding, account.coverage), no_lungs_in_words(account), *doubts)
    return _with_figures(account, texts.MAPS, notes)


def _with_figures(account: Account, detail: str, notes: tuple[str, ...]) -> Caption:
    """`detail`: a text of `cxr.report.texts` about maps."""
    finding = account.finding
    name = DISPLAY_NAMES[finding.prediction]
    return Caption(
        headline=texts.HEADLINE.format(
            label=f"{name[0].upper()}{name[1:]}", p=figure(finding.probabilities[finding.prediction])
        ),
        detail=detail.format(
            label=DISPLAY_NAMES[account.target],
            aside="" if account.target == finding.prediction else texts.ASIDE,
            method=METHOD_NAMES[account.method],
            member=texts.ALL_MEMBERS if account.member == ENSEMBLE else account.member,
        ),
        notes=tuple(note for note in notes if note),
        probabilities=tuple(
            (DISPLAY_NAMES[label], finding.probabilities[label], figure(finding.probabilities[label]))
            for label in LABELS
        ),
        marked=LABELS.index(account.target),
    )
