"""A site's acceptance report: local figures, those of the model card, and the supported uses."""

from collections.abc import Iterator, Sequence
from typing import Final

from cxr.labels import DISCLAIMER, DISPLAY_NAMES, LABELS
from cxr.model.bundle import Bundle
from evaluation.evaluation_file import BundleEvaluation
from evaluation.figure import Figure
from evaluation.gallery import Case
from evaluation.split_evaluation import SplitEvaluation
from reporting import measured
from reporting.calibration_pictures import coverage_picture, reliability_picture
from reporting.discrimination_pictures import confusion_picture, curves_picture
from reporting.document import Block, Document, Items, PatientImage, Section, Table, Text, Tile, Tiles
from reporting.elsewhere import elsewhere_section
from study.site.acceptance import Acceptance
from study.site.needs import OF_A_LABEL, UNKNOWN
from study.site.verdict import SUITS

ANSWERS: Final = {"yes": "**yes**", "no": "**no**", "not known": "not known"}
SHARES: Final = {
    "refused": "refused by the service: not readable, lateral, not a chest …",
    "unfamiliar": "unfamiliar to the gate",
    "no_lungs": "no lungs found: the whole image was classified",
    "doubted": "any of these",
}


def site_report(found: Acceptance, bundle: Bundle, cases: Sequence[Case]) -> Document:
    """The whole report.

    Args:
        found: the site's results.
        bundle: the tested bundle; its evaluation.json has the figures of its card.
        cases: the worst cases.
    """
    card = BundleEvaluation.read(bundle)
    sections = (
        _summary(found),
        _needs(found),
        _images(found),
        _beside_the_card(found, card),
        _told_apart(found),
        _recalibrated(found, bundle.manifest.conformal.coverage),
        *([elsewhere_section(card.elsewhere)] if card.elsewhere else []),
        *([_worst(cases)] if cases else []),
    )
    return Document(f"{found.bundle} {found.version} at {found.site}: acceptance test", DISCLAIMER, sections)


def _summary(found: Acceptance) -> Section:
    rows = tuple((use.use, ANSWERS[use.answer], use.why) for use in found.uses)
    return Section(
        "May it be used here, and for what?",
        (
            Text(_verdict(found)),
            Table(("may it …", "in research", "why"), rows),
            Text(
                "In brackets 95 % intervals. A yes holds only for research and for patients like those of these "
                "images: the model is not a medical device, and this report does not make it one. The rules were "
                "written before any site was measured."
            ),
        ),
    )


def _verdict(found: Acceptance) -> str:
    answers = {answer: [use for use in found.uses if use.answer == answer and use.use != SUITS] for answer in ANSWERS}
    suits = next(use for use in found.uses if use.use == SUITS)
    if suits.answer == "no":
        return f"**Do not use it here: {suits.why}.** The other rows do not count until that has changed."
    if not answers["yes"]:
        return "**These images give no reason to use it here.**"
    uses = "; ".join(use.use.removeprefix("be ") for use in answers["yes"])
    return f"**Only in research, it may be {uses}.** It may not be used for anything else that the table names."


def _needs(found: Acceptance) -> Section:
    missing = [need for need in found.needs if need.missing]
    if not missing:
        return Section("Are these images enough?", (Text("Yes, for every figure of this report."),))
    rows = tuple((need.figure, need.images, f"{need.has}", f"{need.needs}", f"{need.missing}") for need in missing)
    header = ("figure", "images with the label", "there are", "it needs", "missing")
    said = "Figures that need more images than there are. In the tables below they are shown as a dash."
    return Section("Are these images enough?", (Text(said), Table(header, rows)))


def _images(found: Acceptance) -> Section:
    total = sum(found.counts.values())
    copies = (
        f"{found.copies} images that the model was trained on, or that look the same, were found by their hashes and "
        "left out. Cropped copies are not detected."
        if found.checked
        else "It is unknown whether the model was trained on some of these images: it ships no hashes."
    )
    patients = (
        f"{found.shipped.patients:,} patients"
        if found.patients
        else "the table names no patients, so each image counts as a patient and intervals may be too narrow"
    )
    counts = Table(
        ("label", "images", "share"),
        tuple((DISPLAY_NAMES[label], f"{count:,}", f"{count / total:.0%}") for label, count in found.counts.items()),
    )
    shares = [name for name in SHARES if found.gated or name != "unfamiliar"]
    doubted = Table(("of all files", "share"), tuple((SHARES[name], str(found.shares[name])) for name in shares))
    left_out = tuple(f"{count} × {reason}" for reason, count in found.left_out.items())
    blocks: list[Block] = [Text(f"{total:,} images of {patients}. {copies}"), counts, doubted]
    if left_out:
        blocks += [Text("Left out:"), Items(left_out)]
    return Section("Images", tuple(blocks))


def _beside_the_card(found: Acceptance, card: BundleEvaluation) -> Section:
    here, after = found.shipped.figures, found.recalibrated.figures if found.recalibrated else {}
    split = next((card.splits[name] for name in ("test", "val") if name in card.splits), None)
    shown = split.figures if split else {}
    rows = []
    for name, said in _compared():
        recalibrated = str(after.get(name, UNKNOWN)) if name in _CALIBRATION else ""
        rows.append((said, str(here.get(name, UNKNOWN)), recalibrated, str(shown.get(name, UNKNOWN))))
    title = f"card, {measured.SPLIT_NAMES[split.split].lower()}" if split else "card"
    table = Table(("figure", "here, as shipped", "here, recalibrated", title), tuple(rows))
    about = (
        "AUROC, sensitivity and specificity are for a label against the other labels present here. The model was "
        "trained with the card's hospitals, so expect lower figures here. Recalibrated figures are cross-fitted in "
        "five folds by patient: each image is measured with a calibration that was fitted without it."
    )
    return Section("Here, and on the model's card", (Tiles(tuple(_tiles(found))), table, Text(about)))


_CALIBRATION: Final = {
    "ece",
    "conformal/set_size",
    "conformal/size_3",
    *(f"conformal/{label}/coverage" for label in LABELS),
}


def _compared() -> Iterator[tuple[str, str]]:
    for label in LABELS:
        for name, said in (("auroc", "AUROC"), ("recall", "sensitivity"), ("specificity", "specificity")):
            yield f"{label}_{name}", f"{said}, {DISPLAY_NAMES[label]}"
    yield "ece", "ECE"
    for label in LABELS:
        yield f"conformal/{label}/coverage", f"coverage of the sets, {DISPLAY_NAMES[label]}"
    yield "conformal/set_size", "labels in a set, mean"
    yield "conformal/size_3", "sets that rule nothing out"


def _tiles(found: Acceptance) -> Iterator[Tile]:
    figures = found.shipped.figures
    for label in LABELS:
        if found.counts[label] and figures[f"{label}_auroc"].value is not None:
            yield Tile(f"AUROC, {DISPLAY_NAMES[label]}", str(figures[f"{label}_auroc"]), "against the others here")
    yield Tile("Doubted files", str(found.shares["doubted"]), "refused, unfamiliar or without lungs")


def _told_apart(found: Acceptance) -> Section:
    shipped = found.shipped
    blocks: list[Block] = [measured.without_empty_columns(measured.by_label(shipped)), confusion_picture(shipped)]
    if min(found.counts.values()) >= OF_A_LABEL:
        blocks.append(curves_picture(shipped))
    return Section("How well are the labels told apart here?", tuple(blocks))


def _recalibrated(found: Acceptance, target: float) -> Section:
    title = "Recalibrated for this site"
    if found.recalibrated is None or found.fitted is None:
        return Section(title, (Text("There are too few images for a temperature: no bundle was written."),))
    fitted, after = found.fitted, found.recalibrated
    about = (
        f"Temperature {fitted.temperature:.3f}, fitted by log loss on all images; thresholds for {target:.0%} "
        "coverage by label. The weights are untouched. Serve it with `CXR_BUNDLE` set to the folder `bundle` beside "
        "this report; every answer then names this site."
    )
    blocks: list[Block] = [Text(about)]
    if fitted.kept:
        names = " and ".join(DISPLAY_NAMES[label] for label in fitted.kept)
        blocks.append(
            Text(
                f"For {names} there are too few images: the label stays in as many sets as before, and its coverage "
                "here is unknown."
            )
        )
    blocks.append(_set_table(found.shipped, after))
    if after.figures["ece"].value is not None:
        blocks.append(reliability_picture(after))
    blocks.append(coverage_picture(after, target))
    return Section(title, tuple(blocks))


def _set_table(before: SplitEvaluation, after: SplitEvaluation) -> Table:
    names = ["conformal/set_size", *(f"conformal/size_{size}" for size in range(len(LABELS) + 1))]
    header = ("prediction sets", "labels, mean", "none", "1 label", "2 labels", "3 labels")
    rows = tuple(
        (said, *(str(found.figures.get(name, Figure(None, None, None))) for name in names))
        for said, found in (("as shipped", before), ("recalibrated", after))
    )
    return Table(header, rows)


def _worst(cases: Sequence[Case]) -> Section:
    about = Text(
        "The images whose true label has the smallest probability. Look at them first: is the label right, is the "
        "image of a kind that the model was trained on, does the map point at the finding?"
    )
    panels = (
        PatientImage("A radiograph and its maps", f"`{case.file}`: {case.caption}", case.panel_png) for case in cases
    )
    return Section("The worst cases", (about, *panels))
