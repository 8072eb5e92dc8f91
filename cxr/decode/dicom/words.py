"""Read the words of an element that people type."""

import re
import unicodedata
from typing import Final

_LONGEST: Final = 64  # characters; a code string may have 16, the longest short text 64


def plain(stated: str) -> str:
    """The beginning of a text, in capitals and without accents."""
    letters = unicodedata.normalize("NFKD", stated[:_LONGEST].upper())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def words(stated: str) -> list[str]:
    """The runs of letters A to Z in a text: L LAT, LAT_L and LAT1 are two, two and one."""
    return re.findall("[A-Z]+", plain(stated))
