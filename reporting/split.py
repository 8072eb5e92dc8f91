"""The sections of one split: discrimination, results by source, calibration."""

from collections.abc import Iterator
from typing import Final

from evaluation.split_evaluation import SplitEvaluation
from reporting import measured
from reporting.calibration_pictures import coverage_picture, reliability_picture
from reporting.discrimination_pictures import confusion_picture, curves_picture, risk_picture
from reporting.document import Block, Section, Text
from reporting.source_pictures import sources_picture

SOURCE_ONLY: Final = (
    "The classifier that knows only the source sees no image: it answers the label that is commonest in training among "
    "images of the same source. If it is as good as the model, the figure says nothing about disease."
)


def split_sections(found: SplitEvaluation, coverage: float, pictured: bool) -> Iterator[Section]:
    """Sections of a split.

    Args:
        found: its evaluation.
        coverage: target coverage of the bundle's prediction sets.
        pictured: whether to draw figures, which need curves in the evaluation.
    """
    draw = pictured and bool(found.curves)
    yield Section(
        f"{measured.SPLIT_NAMES[found.split]}: {measured.counted(found)}",
        (Text(_about(found)), measured.without_empty_columns(measured.headline(found)), Text(_columns(found))),
    )
    yield Section("How well are the labels told apart?", tuple(_discrimination(found, draw)), 3)
    yield Section("Is it the disease, or the hospital?", tuple(_sources(found, draw)), 3)
    yield Section("Do the probabilities mean what they say?", tuple(_calibration(found, coverage, draw)), 3)
    if "risk/aurc" in found.figures:
        blocks: list[Block] = [measured.selective(found), *([risk_picture(found)] if draw else [])]
        yield Section("Does it know when it does not know?", tuple(blocks), 3)


def _about(found: SplitEvaluation) -> str:
    about = f"In brackets the 95 % interval of a bootstrap that resamples patients {found.resamples:,} times."
    if found.held_out < found.images:
        about += (
            f" Calibration and coverage are over the {found.held_out:,} images that were not used to fit temperature "
            "and thresholds; they were used to select the model, so these figures may be slightly optimistic."
        )
    return about


def _columns(found: SplitEvaluation) -> str:
    if found.new in (None, found.images):
        return SOURCE_ONLY
    return (
        f"{SOURCE_ONLY} New are images without a near-duplicate among the training images; the other "
        f"{found.images - (found.new or 0):,} a model may remember."
    )


def _discrimination(found: SplitEvaluation, draw: bool) -> Iterator[Block]:
    yield measured.by_label(found)
    yield confusion_picture(found) if draw else measured.confusion(found)
    if draw:
        yield curves_picture(found)
    if "covid19_ppv@0.05" in found.figures:
        yield measured.at_prevalences(found)


def _sources(found: SplitEvaluation, draw: bool) -> Iterator[Block]:
    yield measured.without_empty_columns(measured.sources(found))
    if draw:
        yield sources_picture(found)
    within = measured.within_sources(found)
    if within:
        yield within


def _calibration(found: SplitEvaluation, coverage: float, draw: bool) -> Iterator[Block]:
    yield measured.without_empty_columns(measured.calibration(found))
    if draw:
        yield reliability_picture(found)
    yield measured.without_empty_columns(measured.conformal(found))
    yield measured.without_empty_columns(measured.set_sizes(found))
    if draw:
        yield coverage_picture(found, coverage)
