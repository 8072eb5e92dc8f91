"""The documents of the repository, with their links, anchors and blocks of code."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from scripts.server import REPOSITORY

PAGES: Final = sorted(
    [
        *REPOSITORY.glob("*.md"),
        *(path for path in (REPOSITORY / "docs").rglob("*.md") if "runs" not in path.parts),
        REPOSITORY / "models" / "default" / "MODEL_CARD.md",
    ]
)
NAMES: Final = [str(page.relative_to(REPOSITORY)) for page in PAGES]
SHELLS: Final = {"sh", "bash"}

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def text_of(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def blocks(name: str, languages: set[str]) -> list[str]:
    """The fenced blocks of a page in one of these languages."""
    return [block for language, block in _FENCE.findall(text_of(name)) if language in languages]


def links(name: str) -> list[str]:
    """Targets of a page's links and images, except those in blocks and in `code`."""
    prose = re.sub(r"`[^`\n]*`(?!\])", "", _FENCE.sub("", text_of(name)))
    return _LINK.findall(prose)


def anchors(page: Path) -> Iterator[str]:
    """The anchors that GitHub and MkDocs make of a page's headings."""
    for heading in re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
