"""Figures of left-out sources, which are the card's first section."""

from reporting.document import Document
from reporting.elsewhere import elsewhere_section
from reporting.markdown import markdown
from study.elsewhere import elsewhere
from tests.study.test_travel import ROWS, archive

BOTH = [archive(name, source) for name in ("convolution", "full") for source in ("siim", "cohen", "radiography")]
SEEDS = [archive("full", "siim", seed=1), archive("convolution", "siim", seed=1, skill=4.0)]
SIIM, COHEN, RADIOGRAPHY = elsewhere(ROWS, [*BOTH, *SEEDS], resamples=20)


def test_each_source_left_out_by_both_recipes_has_its_figures() -> None:
    assert [one.source for one in (SIIM, COHEN, RADIOGRAPHY)] == ["siim", "cohen", "radiography"]
    assert SIIM.auroc is not None
    assert set(SIIM.recall) == {"normal", "covid19"}
    assert set(COHEN.recall) == {"pneumonia", "covid19"}


def test_a_source_of_one_label_has_recall_alone() -> None:
    assert RADIOGRAPHY.auroc is None
    assert RADIOGRAPHY.other is None
    assert set(RADIOGRAPHY.recall) == {"covid19"}


def test_the_section_says_in_words_what_it_means_for_normal_radiographs() -> None:
    text = markdown(Document("Card", "Research use only.", (elsewhere_section((SIIM, RADIOGRAPHY)),)))
    missed = 1 - SIIM.recall["normal"]
    assert f"gives {missed:.0%} of the normal radiographs another label" in text
    assert "| `radiography` |" in text
