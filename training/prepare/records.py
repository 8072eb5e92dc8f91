"""What a reader of a collection finds: images that can be used, and those that cannot, with the reason."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cxr.labels import Label

# Reasons are fixed texts: they are written beside the images, and a table's words may name a patient.
OTHER_FINDING: Final = "its finding is none of normal, pneumonia and COVID-19"
OTHER_CAUSE: Final = "pneumonia, but not said to be bacterial, viral or fungal: it may be COVID-19"
UNSPECIFIC_NEGATIVE: Final = "negative for COVID-19: normal or another pneumonia is not said"
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

    where:          where its collection names it, without a name: "line 14", "image 3"
    patient:        the collection's own name for the patient; "" where unknown; never stored
    view:           PA, AP, AP Supine, AP Erect or unknown
    licence:        as the collection states it for this image; "" where it does not
    published_test: the collection's publisher keeps it for testing
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
    """What is not prepared. `word` is the collection's for its finding, for the user's eyes alone, and never stored."""

    where: str
    reason: str
    path: Path | None = None
    word: str = ""


@dataclass(slots=True)
class Collection:
    """All that a reader found; nothing of what it was given is in neither list."""

    images: list[CollectionImage] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def add(self, entry: CollectionImage | LeftOut) -> None:
        """Put an entry where it belongs."""
        if isinstance(entry, CollectionImage):
            self.images.append(entry)
        else:
            self.left_out.append(entry)

    def paths(self) -> list[Path]:
        """Of all entries whose file is known."""
        known = [one.path for one in self.left_out if one.path is not None]
        return [*(one.path for one in self.images), *known]
