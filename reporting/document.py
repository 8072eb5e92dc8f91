"""What a report is made of, whatever it is rendered to.

Texts know two marks, `code` and **bold**. Nothing else in them is special: a renderer escapes the rest.
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
    """A key figure: its name, its value, and what to hold beside it."""

    name: str
    value: str
    note: str


@dataclass(frozen=True, slots=True)
class Tiles:
    """Key figures side by side."""

    tiles: tuple[Tile, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts, all as long as the header; the first column names the row."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure as SVG. `name` is its file name without an ending; `alt` says what it shows to who cannot see it."""

    name: str
    alt: str
    caption: str
    svg: str


@dataclass(frozen=True, slots=True)
class PatientImage:
    """A picture with a patient's image in it, as PNG: shown in HTML, which is not committed, and nowhere else."""

    alt: str
    caption: str
    png: bytes


Block = Text | Items | Tiles | Table | Picture | PatientImage


@dataclass(frozen=True, slots=True)
class Section:
    """A heading of level 2 or 3 and what stands under it."""

    title: str
    blocks: tuple[Block, ...]
    level: int = 2


@dataclass(frozen=True, slots=True)
class Document:
    """A title, the disclaimer, and sections."""

    title: str
    disclaimer: str
    sections: tuple[Section, ...]
