"""Map the words that collections use for findings to our three labels."""

import re
from collections.abc import Mapping
from typing import Final

from cxr.errors import DataError
from cxr.labels import LABELS, Label

_WORDS: Final[dict[Label, tuple[str, ...]]] = {
    "normal": ("normal", "nofinding", "nofindings", "healthy"),
    "pneumonia": ("pneumonia", "viralpneumonia", "bacterialpneumonia", "fungalpneumonia"),
    "covid19": ("covid19", "covid", "covid19pneumonia", "sarscov2", "covid19ards"),
}
_LABEL_OF: Final = {word: label for label, words in _WORDS.items() for word in words}


def plain(word: str) -> str:
    """A word without case, blanks and punctuation, to compare spellings."""
    return re.sub(r"[^0-9a-z]", "", word.casefold())


def label_of(word: str, own: Mapping[str, Label] | None = None) -> Label | None:
    """The label of a word, by the usual spellings or the user's own (keys normalised by `plain`).

    None if it means none of the three. Unlike in covid-chestxray-dataset, plain "pneumonia" is accepted: in a
    collection of three classes it means the other pneumonias.
    """
    key = plain(word)
    return (own or {}).get(key) or _LABEL_OF.get(key)


def own_words(meanings: list[str]) -> dict[str, Label]:
    """Parse the user's WORD=LABEL.

    Raises:
        DataError: an item has another form, or its label is none of the three.
    """
    words: dict[str, Label] = {}
    for meaning in meanings:
        word, _, label = meaning.rpartition("=")
        if not plain(word) or label not in LABELS:
            raise DataError(f"{meaning} is not of the form WORD=LABEL with one of the labels {', '.join(LABELS)}")
        words[plain(word)] = label
    return words
