"""Lint the prose of the documents, and the comments and strings of the Python files, with proselint.

    python -m scripts.prose

The configuration is .proselintrc.json. proselint reads plain text, so code is blanked first; lines stay. Words of
`AVOIDED`, which proselint does not know, are reported too.
"""

import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from io import StringIO
from pathlib import Path
from typing import Final

import proselint.checks
from proselint.config import Config, load_from
from proselint.registry import CheckRegistry
from proselint.tools import LintFile

from scripts.server import REPOSITORY

AVOIDED: Final = re.compile(
    r"\b(whither|whence|thence|thither|hither|hitherto|wherein|whereupon|therein|thereof|therewith|hereby|lest|nigh"
    r"|whilst|amongst|betwixt|thrice|for ever|for want of|knobs?)\b",
    re.IGNORECASE,
)
"""Archaic words, and names that are not the field's terms: say hyperparameter, not knob."""

_CODE: Final = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)
_TABLE: Final = re.compile(r"^\|.*$", re.MULTILINE)
_PROSE: Final = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}


def lint(paths: Iterable[Path]) -> list[str]:
    """What is wrong in these Markdown and Python files, as `path:line: message`."""
    _register()
    config = load_from(REPOSITORY / ".proselintrc.json")
    return [fault for path in paths for fault in _faults(path, config)]


def files() -> list[Path]:
    """The documents and Python files of the repository, without generated and ignored ones."""
    folders = [path for path in REPOSITORY.iterdir() if (path / "__init__.py").exists()]
    code = [path for folder in folders for path in folder.rglob("*.py") if path != Path(__file__).resolve()]
    documents = [path for path in (REPOSITORY / "docs").rglob("*.md") if "runs" not in path.parts]
    return sorted([*REPOSITORY.glob("*.md"), *documents, *code])


def prose_of_markdown(text: str) -> str:
    """The text with code and tables blanked."""
    return _TABLE.sub(_blank, _CODE.sub(_blank, text))


def prose_of_python(text: str) -> str:
    """Comments and strings, each on its own lines; everything else is blank."""
    lines = [""] * (text.count("\n") + 2)
    for token in tokenize.generate_tokens(StringIO(text).readline):
        if token.type in _PROSE:
            for offset, part in enumerate(token.string.splitlines()):
                lines[token.start[0] - 1 + offset] += f"{part.strip()} "
    return _CODE.sub(_blank, "\n".join(lines))


def _register() -> None:
    registry = CheckRegistry()
    if not registry.checks:
        registry.register_many(proselint.checks.__register__)


def _faults(path: Path, config: Config) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    prose = prose_of_python(text) if path.suffix == ".py" else prose_of_markdown(text)
    name = path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path
    for number, line in enumerate(prose.splitlines(), 1):
        for word in AVOIDED.findall(line):
            yield f"{name}:{number}: avoid {word!r}"
    if prose.strip():
        for found in LintFile(str(name), prose).lint(config):
            check, message, (start, _), _ = found.check_result
            yield f"{name}:{_line_of(prose, start)}: {check}: {message}"


def _line_of(prose: str, position: int) -> int:
    """The line of a position in the text that proselint sees, which begins with a line break more."""
    return prose.count("\n", 0, max(position - 1, 0)) + 1


def _blank(code: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", code[0])


if __name__ == "__main__":
    found = lint(files())
    print("\n".join(found))
    sys.exit(bool(found))
