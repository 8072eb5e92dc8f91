"""Words for findings: usual spellings, the user's own, and unknown words."""

import pytest

from cxr.errors import DataError
from cxr.labels import Label
from training.prepare.cohen import label_in_tree
from training.prepare.label_words import label_of, own_words


@pytest.mark.parametrize(
    ("word", "label"),
    [
        ("normal", "normal"), ("NORMAL", "normal"), ("No Finding", "normal"), ("no_findings", "normal"),
        ("PNEUMONIA", "pneumonia"), ("Viral Pneumonia", "pneumonia"), ("bacterial-pneumonia", "pneumonia"),
        ("COVID-19", "covid19"), ("covid19", "covid19"), ("COVID", "covid19"), ("Covid_19", "covid19"),
        ("Lung_Opacity", None), ("negative", None), ("", None), ("abnormal", None), ("not normal", None),
    ],
)  # fmt: skip
def test_usual_spellings(word: str, label: Label | None) -> None:
    assert label_of(word) == label


def test_own_words_come_first() -> None:
    words = own_words(["Lung Opacity=pneumonia", "COVID=normal", "a=b=covid19"])
    assert label_of("lung_opacity", words) == "pneumonia"
    assert label_of("COVID", words) == "normal"
    assert label_of("A=B", words) == "covid19"
    assert label_of("COVID-19", words) == "covid19"


@pytest.mark.parametrize("meaning", ["opacity", "opacity=flu", "=normal", "opacity=", "opacity=Normal"])
def test_an_invalid_meaning_is_named(meaning: str) -> None:
    with pytest.raises(DataError, match="WORD=LABEL"):
        own_words([meaning])


@pytest.mark.parametrize(
    ("finding", "label"),
    [
        ("Pneumonia/Viral/COVID-19", "covid19"), ("COVID-19", "covid19"), ("COVID-19, ARDS", "covid19"),
        ("No Finding", "normal"), ("Pneumonia/Viral/SARS", "pneumonia"), ("SARS", "pneumonia"),
        ("Pneumonia/Bacterial", "pneumonia"), ("Pneumonia/Fungal/Pneumocystis", "pneumonia"),
        ("Pneumonia/Viral/Influenza/H1N1", "pneumonia"), ("E.Coli", "pneumonia"),
        ("Pneumonia", None), ("Pneumonia/Aspiration", None), ("Pneumonia/Lipoid", None),
        ("Tuberculosis", None), ("ARDS", None), ("Unknown", None), ("todo", None), ("", None),
    ],
)  # fmt: skip
def test_the_tree_of_covid_chestxray_dataset(finding: str, label: Label | None) -> None:
    assert label_in_tree(finding) == label
