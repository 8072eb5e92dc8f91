"""Render documents as a single self-contained HTML file with style and figures inside."""

import re
from base64 import b64encode
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Final

from reporting.document import Block, Document, Items, PatientImage, Picture, Section, Table, Text, Tile, Tiles

STYLE: Final = (Path(__file__).parent / "report.css").read_text(encoding="utf-8")

_CODE, _BOLD = re.compile(r"`([^`]+)`"), re.compile(r"\*\*([^*]+)\*\*")
_INTERVAL = re.compile(r"(?<=\d) (\[-?\d[^\]]*\])")


def html(document: Document) -> str:
    """One page."""
    return "\n".join(_page(document)) + "\n"


def _page(document: Document) -> Iterator[str]:
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(document.title)}</title><style>{STYLE}</style></head><body><main>"
    yield f"<header><h1>{_inline(document.title)}</h1></header>"
    yield f'<p class="disclaimer" role="note">{_inline(document.disclaimer)}</p>'
    yield from _contents(document)
    for number, section in enumerate(document.sections):
        yield from _section(section, number)
    yield "</main></body></html>"


def _contents(document: Document) -> Iterator[str]:
    links = [
        f'<a href="#s{number}">{_inline(section.title.split(":")[0])}</a>'
        for number, section in enumerate(document.sections)
        if section.level == 2
    ]
    yield f"<nav>{' '.join(links)}</nav>"


def _section(section: Section, number: int) -> Iterator[str]:
    yield f'<section class="level{section.level}" id="s{number}">'
    yield f"<h{section.level}>{_inline(section.title)}</h{section.level}>"
    for block in section.blocks:
        yield from _block(block)
    yield "</section>"


def _block(block: Block) -> Iterator[str]:
    match block:
        case Text(text):
            yield f"<p>{_inline(text)}</p>"
        case Items(items):
            yield f"<ul>{''.join(f'<li>{_inline(item)}</li>' for item in items)}</ul>"
        case Tiles(tiles):
            yield f'<div class="tiles">{"".join(map(_tile, tiles))}</div>'
        case Table():
            yield from _table(block)
        case Picture(_, alt, caption, svg):
            yield _figure(alt, caption, "image/svg+xml", svg.encode())
        case PatientImage(alt, caption, png):
            yield _figure(alt, caption, "image/png", png)


def _tile(tile: Tile) -> str:
    name, value, note = _inline(tile.name), _figure_of(tile.value), _inline(tile.note)
    return f'<div class="tile"><div class="name">{name}</div><div class="value">{value}</div><div>{note}</div></div>'


def _table(table: Table) -> Iterator[str]:
    yield '<div class="table"><table>'
    if table.caption:
        yield f"<caption>{_inline(table.caption)}</caption>"
    yield f"<thead><tr>{''.join(f'<th>{_inline(cell)}</th>' for cell in table.header)}</tr></thead><tbody>"
    for first, *rest in (map(_figure_of, row) for row in table.rows):
        yield f"<tr><th>{first}</th>{''.join(f'<td>{cell}</td>' for cell in rest)}</tr>"
    yield "</tbody></table></div>"


def _figure(alt: str, caption: str, media_type: str, data: bytes) -> str:
    source = f"data:{media_type};base64,{b64encode(data).decode()}"
    return f'<figure><img src="{source}" alt="{escape(alt)}"><figcaption>{_inline(caption)}</figcaption></figure>'


def _figure_of(text: str) -> str:
    """A value, and its interval in small type."""
    return _INTERVAL.sub(r' <span class="ci">\1</span>', _inline(text))


def _inline(text: str) -> str:
    return _BOLD.sub(r"<strong>\1</strong>", _CODE.sub(r"<code>\1</code>", escape(text)))
