"""The page's files: vendored files are unchanged, no other origin is used, and no file is too long."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest

from cxr.errors import BodyTooLarge
from cxr.labels import DISPLAY_NAMES
from cxr.report.colour import OPACITY, blend, legend
from cxr.report.explanation import METHOD_NAMES
from scripts.server import REPOSITORY
from service.page.files import FILES
from service.page.words import WORDS

STATIC = REPOSITORY / "service" / "page" / "static"
OURS = [path for path in sorted(STATIC.rglob("*.*")) if "vendor" not in path.parts]


def test_vendored_files_are_those_of_the_manifest() -> None:
    entries = json.loads((STATIC / "vendor" / "manifest.json").read_text())
    for entry in entries:
        data = (STATIC / "vendor" / entry["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entry["sha256"], entry["file"]
        assert all((STATIC / "vendor" / name).exists() for name in entry["licences"])
        assert entry["version"]
    named = {name for entry in entries for name in (entry["file"], *entry["licences"])} | {"manifest.json"}
    assert {path.name for path in (STATIC / "vendor").iterdir()} == named


@pytest.mark.parametrize("path", [path for path in OURS if path.suffix == ".js"], ids=lambda path: path.name)
def test_modules(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("//"), "it does not say what it is for"
    assert len(text.splitlines()) <= 250
    for name in re.findall(r'from "([^"]+)"', text):
        assert name.startswith("."), f"{name} would need an import map"
        assert (path.parent / name).resolve().relative_to(STATIC).as_posix() in FILES, name


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_no_other_origin_and_nothing_that_the_policy_forbids(path: Path) -> None:
    text = path.read_text().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|//\w+\.|innerHTML|eval\(|@import|url\(", text)
    assert path.suffix != ".html" or not re.search(r"style=|onclick=|<script>", text)
    assert not re.search(r"localStorage|sessionStorage|document\.cookie|indexedDB", text)


def test_every_address_of_the_page_is_relative_and_there() -> None:
    found = re.findall(r'(?:href|src)="([^"]+)"', (STATIC / "index.html").read_text())
    assert len(found) > 5
    assert all(name.removeprefix("static/") in FILES for name in found), found


def test_words_are_those_of_the_service() -> None:
    text = FILES["words.js"].content.decode()
    assert json.loads(text.removeprefix("export default ").removesuffix(";\n")) == WORDS
    assert (WORDS["labels"], WORDS["methods"]) == (DISPLAY_NAMES, METHOD_NAMES)
    assert WORDS["tooLarge"] == BodyTooLarge.message
    assert WORDS["zones"]["left_lower"] == "the patient's left lower zone"
    assert WORDS["thirds"]["left_lower"] == "the image's lower third on the patient's left"


@pytest.mark.parametrize("signed", [False, True])
def test_colours_are_those_of_the_picture_for_people(signed: bool) -> None:
    """Blended over a radiograph with the overlay's opacity, they give the same picture."""
    table = np.frombuffer(bytes.fromhex(WORDS["colours"]["relevance" if signed else "evidence"]), np.uint8).reshape(
        256, 4
    )
    assert np.array_equal(table, legend(signed))
    levels = np.arange(256, dtype=np.float32)[np.newaxis]
    field = np.clip((levels - 128) / 127, -1, 1, dtype=np.float32) if signed else levels / np.float32(255)
    grey = np.full((1, 256), 90, np.uint8)
    alpha = table[:, 3:].astype(float) / 255 * OPACITY
    over = grey[0, :, np.newaxis] * (1 - alpha) + alpha * table[:, :3]
    assert np.abs(over - blend(grey, field, signed)[0]).max() <= 1.5
