"""MkDocs hook: add the documents outside docs/ and the OpenAPI document to the site.

Links in the repository do not change. In the site, a link to a file that is not a page becomes the file's name.
"""

import re
import subprocess
import sys
from os.path import relpath
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

ROOT: Final = Path(__file__).parents[1]
DOCS: Final = ROOT / "docs"
OUTSIDE: Final = {
    ROOT / "README.md": "about/start.md",
    ROOT / "CONTRIBUTING.md": "about/contributing.md",
    ROOT / "CHANGELOG.md": "about/changelog.md",
    ROOT / "SECURITY.md": "about/security.md",
    ROOT / "models" / "default" / "MODEL_CARD.md": "about/model-card.md",
}
OPENAPI: Final = "import json; from service.app import app; print(json.dumps(app.openapi(), indent=1))"
_LINK: Final = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the documents of OUTSIDE, and openapi.json of the service's routes."""
    from mkdocs.structure.files import File

    for path, page in OUTSIDE.items():
        files.append(File.generated(config, page, content=path.read_text(encoding="utf-8")))
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", OPENAPI], cwd=ROOT, capture_output=True, check=True)
    files.append(File.generated(config, "openapi.json", content=done.stdout))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Rewrite a page's links from the repository's folders to the site's."""
    uri = page.file.src_uri
    source = next((path for path, to in OUTSIDE.items() if to == uri), DOCS / uri)
    return _LINK.sub(lambda link: _rewritten(link, source, uri), markdown)


def _rewritten(link: re.Match[str], source: Path, uri: str) -> str:
    mark, text, target = link.groups()
    parts = urlsplit(target)
    if parts.scheme or not parts.path:
        return link.group()
    path = (source.parent / parts.path).resolve()
    if path in OUTSIDE:
        to = OUTSIDE[path]
    elif path.is_file() and path.is_relative_to(DOCS) and not path.is_relative_to(DOCS / "travel"):
        to = path.relative_to(DOCS).as_posix()
    else:
        name = path.relative_to(ROOT).as_posix()
        return text if name in text else f"{text} (`{name}`)"
    anchor = f"#{parts.fragment}" if parts.fragment else ""
    return f"{mark}[{text}]({relpath(to, str(Path(uri).parent))}{anchor})"
