"""The files of the page, in memory. Only files listed here are served.

Starlette's StaticFiles is not used: its ETags depend on modification times, which differ between replicas of one image,
and its media types on the machine's own tables.
"""

import hashlib
import html
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cxr.labels import DISCLAIMER
from service.page import words

INDEX: Final = "index.html"

_FOLDER: Final = Path(__file__).parent / "static"
_MEDIA_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class File:
    """A file to serve. `etag` is a hash of its content."""

    content: bytes
    media_type: str
    etag: str


def _file(name: str, content: bytes) -> File:
    return File(content, _MEDIA_TYPES[Path(name).suffix], f'"{hashlib.sha256(content).hexdigest()[:32]}"')


def _files() -> dict[str, File]:
    paths = [path for path in sorted(_FOLDER.rglob("*")) if path.suffix in _MEDIA_TYPES]
    found = {path.relative_to(_FOLDER).as_posix(): path.read_bytes() for path in paths}
    found[INDEX] = found[INDEX].replace(b"{{disclaimer}}", html.escape(DISCLAIMER).encode())
    found["words.js"] = words.module()
    return {name: _file(name, content) for name, content in found.items()}


FILES: Final = _files()
"""By their path under `static/`, with slashes."""
