"""Documents as Markdown, with their figures as SVG files beside them."""

from collections.abc import Iterator
from pathlib import Path

from reporting.document import Block, Document, Items, PatientImage, Picture, Section, Table, Text, Tiles


def markdown(document: Document) -> str:
    """Render as one string. Figures are links to `figures/<name>.svg`; sections with a radiograph are left out."""
    lines = [f"# {document.title}", "", f"**{document.disclaimer}**", ""]
    for section in document.sections:
        lines.extend(_section(section))
    return "\n".join(lines).rstrip() + "\n"


def write_markdown(document: Document, file: Path) -> None:
    """Write a document, and its figures into the folder `figures` beside it."""
    folder = file.parent / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    for section in document.sections:
        for block in section.blocks:
            if isinstance(block, Picture):
                (folder / f"{block.name}.svg").write_text(block.svg)
    file.write_text(markdown(document))


def _section(section: Section) -> Iterator[str]:
    if any(isinstance(block, PatientImage) for block in section.blocks):
        return  # the surrounding text would refer to the missing image
    blocks = [list(_block(block)) for block in section.blocks]
    yield f"{'#' * section.level} {section.title}"
    yield ""
    for lines in blocks:
        yield from lines
        yield ""


def _block(block: Block) -> Iterator[str]:
    match block:
        case Text(text):
            yield text
        case Items(items):
            yield from (f"- {item}" for item in items)
        case Tiles(tiles):
            rows = tuple((tile.name, tile.value, tile.note) for tile in tiles)
            yield from _table(Table(("figure", "value", ""), rows))
        case Table():
            yield from _table(block)
        case Picture(name, alt, caption):
            yield f"![{alt}](figures/{name}.svg)"
            yield ""
            yield f"*{caption}*"


def _table(table: Table) -> Iterator[str]:
    if table.caption:
        yield table.caption
        yield ""
    yield _row(table.header)
    yield _row(("---",) * len(table.header))
    yield from map(_row, table.rows)


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
