"""The elements of a report, independent of the output format.

Texts have two marks, `code` and **bold**. Everything else is plain text, which a renderer escapes.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Items:
    """A list of short texts."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tile:
    """A key figure: its name, its value, and a figure or note for comparison."""

    name: str
    value: str
    note: str


@dataclass(frozen=True, slots=True)
class Tiles:
    """Key figures side by side."""

    tiles: tuple[Tile, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts, each with as many cells as the header. The first column names the row."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure as SVG. `name` is its file name without a suffix; `alt` describes it for screen readers."""

    name: str
    alt: str
    caption: str
    svg: str


@dataclass(frozen=True, slots=True)
class PatientImage:
    """A PNG with a patient's image. It is only shown in HTML, which is not committed."""

    alt: str
    caption: str
    png: bytes


Block = Text | Items | Tiles | Table | Picture | PatientImage


@dataclass(frozen=True, slots=True)
class Section:
    """A heading of level 2 or 3 with its content."""

    title: str
    blocks: tuple[Block, ...]
    level: int = 2


@dataclass(frozen=True, slots=True)
class Document:
    """A title, the disclaimer, and sections."""

    title: str
    disclaimer: str
    sections: tuple[Section, ...]
