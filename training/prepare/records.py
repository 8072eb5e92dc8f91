"""The result of reading a collection: usable images, and unusable ones with the reason."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cxr.labels import Label

# Reasons are fixed texts, because they are stored with the images and a table's own words may name a patient.
OTHER_FINDING: Final = "its finding is none of normal, pneumonia and COVID-19"
OTHER_CAUSE: Final = "pneumonia without a bacterial, viral or fungal cause: it may be COVID-19"
UNSPECIFIC_NEGATIVE: Final = "negative for COVID-19, but not stated whether normal or another pneumonia"
LATERAL: Final = "a lateral view"
NOT_FRONTAL: Final = "no frontal view is stated"
NOT_A_RADIOGRAPH: Final = "not a radiograph (CT or other)"
MASK: Final = "a mask, not a radiograph"
MISSING: Final = "the file is missing"
AMBIGUOUS: Final = "several files have this name"
UNLISTED: Final = "no table or list names this file"
MALFORMED: Final = "the line is malformed: fields are missing or too many"


@dataclass(frozen=True, slots=True)
class CollectionImage:
    """An image to be prepared.

    where:          its position in the collection, without any name: "line 14", "image 3"
    patient:        the collection's own name for the patient; "" where unknown; never stored
    view:           PA, AP, AP Supine, AP Erect or unknown
    licence:        as the collection states it for this image, or ""
    published_test: it is in the publisher's test split
    """

    path: Path
    where: str
    label: Label
    source: str
    patient: str = ""
    view: str = "unknown"
    licence: str = ""
    published_test: bool = False


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An image that is left out. `word` is the collection's word for its finding: shown to the user, never stored."""

    where: str
    reason: str
    path: Path | None = None
    word: str = ""


@dataclass(slots=True)
class Collection:
    """All that a reader found. Every given image is in one of the two lists."""

    images: list[CollectionImage] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def add(self, entry: CollectionImage | LeftOut) -> None:
        """Add an entry to the right list."""
        if isinstance(entry, CollectionImage):
            self.images.append(entry)
        else:
            self.left_out.append(entry)

    def paths(self) -> list[Path]:
        """The paths of all entries whose file is known."""
        known = [one.path for one in self.left_out if one.path is not None]
        return [*(one.path for one in self.images), *known]
