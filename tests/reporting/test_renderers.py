"""The same document as HTML and as Markdown: nothing lost, nothing executed, no radiograph in Markdown."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from reporting.document import Document, Items, PatientImage, Picture, Section, Table, Text, Tile, Tiles
from reporting.html import html
from reporting.markdown import markdown, write_markdown

SVG = '<svg xmlns="http://www.w3.org/2000/svg"/>'
DOCUMENT = Document(
    "A & B",
    "Research use only.",
    (
        Section("First: part", (Text("Some `code <b>` and **bold**."), Items(("one", "two")))),
        Section("Inner", (Table(("what", "figure"), (("a|b", "0.875 [0.853, 0.894]"),), "Said."),), 3),
        Section("Tiles", (Tiles((Tile("F1", "0.9 [0.8, 1.0]", "beside it"),)),)),
        Section("Figure", (Picture("curve", "a curve", "What it shows.", SVG),)),
        Section("Gallery", (PatientImage("a chest", "of a patient", b"\x89PNG"),)),
    ),
)


def test_html_needs_nothing_beside_it_and_escapes() -> None:
    page = html(DOCUMENT)
    assert page.startswith("<!doctype html>")
    assert "<h1>A &amp; B</h1>" in page
    assert "Some <code>code &lt;b&gt;</code> and <strong>bold</strong>." in page
    assert '<td>0.875 <span class="ci">[0.853, 0.894]</span></td>' in page
    assert page.count("<img") == 2
    assert page.count('src="data:image/') == 2
    assert 'src="http' not in page
    assert "<h3>Inner</h3>" in page
    assert '<a href="#s0">First</a>' in page
    assert ">Inner</a>" not in page
    assert page.index('role="note"') < page.index("<nav>")


def test_html_is_well_formed() -> None:
    body = html(DOCUMENT).removeprefix("<!doctype html>")
    body = body.replace('<meta charset="utf-8">', "").replace(
        '<meta name="viewport" content="width=device-width, initial-scale=1">', ""
    )
    body = body.replace(' alt="a curve">', ' alt="a curve"/>').replace(' alt="a chest">', ' alt="a chest"/>')
    assert ElementTree.fromstring(body).tag == "html"


def test_markdown_has_all_but_radiographs() -> None:
    text = markdown(DOCUMENT)
    assert text.startswith("# A & B\n\n**Research use only.**\n")
    assert "### Inner\n\nSaid.\n\n| what | figure |\n| --- | --- |\n| a\\|b | 0.875 [0.853, 0.894] |\n" in text
    assert "| F1 | 0.9 [0.8, 1.0] | beside it |" in text
    assert "![a curve](figures/curve.svg)\n\n*What it shows.*" in text
    assert "Gallery" not in text
    assert "patient" not in text


def test_figures_lie_beside_the_markdown(tmp_path: Path) -> None:
    write_markdown(DOCUMENT, tmp_path / "docs" / "report.md")
    assert (tmp_path / "docs" / "figures" / "curve.svg").read_text() == SVG
    assert [path.name for path in (tmp_path / "docs").rglob("*.*")].count("curve.svg") == 1
    assert (tmp_path / "docs" / "report.md").read_text() == markdown(DOCUMENT)


@pytest.mark.parametrize("text", ["a * b", "[x](y)", "<script>"])
def test_other_marks_mean_nothing_in_html(text: str) -> None:
    page = html(Document("t", "d", (Section("s", (Text(text),)),)))
    assert "<script>" not in page.split("</style>")[1]
    assert '<a href="y"' not in page
