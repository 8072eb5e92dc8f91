"""The three labels, in the order that every array of the project uses."""

from typing import Final, Literal

Label = Literal["normal", "pneumonia", "covid19"]

LABELS: Final[tuple[Label, ...]] = ("normal", "pneumonia", "covid19")

DISPLAY_NAMES: Final[dict[Label, str]] = {
    "normal": "normal",
    "pneumonia": "pneumonia",
    "covid19": "COVID-19",
}

DISCLAIMER: Final = (
    "Research use only. Not a medical device: not cleared or approved by any regulator. "
    "Not for diagnosis or clinical decisions. A chest radiograph cannot confirm or exclude "
    "COVID-19; confirm by laboratory test."
)
