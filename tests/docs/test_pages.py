"""Every document: links have a target, commands exist, tables of names are complete, prose is linted."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
import typer.main
import yaml

from cli import app
from cxr import pipeline
from cxr.decode.dicom import acceptance, meaning
from scripts.server import REPOSITORY
from service.schemas import Classification
from service.settings import Settings
from tests.docs.pages import NAMES, SHELLS, anchors, blocks, links, text_of
from tests.test_layout import HOUSE

COMMAND: Final = typer.main.get_command(app)
TARGETS: Final = set(re.findall(r"^([\w-]+(?: [\w-]+)*):", text_of("Makefile"), re.MULTILINE))
PATH: Final = rf"(?:{'|'.join(sorted(HOUSE))})/(?:[\w/]*/)?(?:\w+\.py)?"
OTHERS: Final = {
    "apt-get", "cat", "cd", "cp", "curl", "docker", "echoscu", "git", "grep", "ln", "mkdir", "mv", "openssl", "pip",
    "python", "rm",
    "service", "storescu", "Orthanc",
}  # fmt: skip
"""Third-party programs that the documents use."""


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    lost = []
    for link in links(name):
        parts = urlsplit(link)
        if parts.scheme:
            continue
        page = (REPOSITORY / name).parent / parts.path if parts.path else REPOSITORY / name
        if not page.exists() or (parts.fragment and parts.fragment not in set(anchors(page))):
            lost.append(link)
    assert not lost


@pytest.mark.parametrize("name", [name for name in NAMES if blocks(name, SHELLS)])
def test_commands_of_shell_blocks_exist(name: str) -> None:
    wrong = [fault for block in blocks(name, SHELLS) for words in commands(block) for fault in faults(words)]
    assert not wrong


def commands(block: str) -> Iterator[list[str]]:
    """The commands of a block as words: comments, here-documents, redirections and assignments left out."""
    block = re.sub(r"<<(\w+)\n.*?^\1$", "", block.replace("\\\n", " "), flags=re.DOTALL | re.MULTILINE)
    for line in block.splitlines():
        words: list[str] = []
        for word in [*_words(line), ";"]:
            if re.fullmatch(r"[;&|]+", word):
                if words:
                    yield words
                words = []
            elif words or not re.match(r"[A-Za-z_]+=", word):
                words.append(word)


def _words(line: str) -> list[str]:
    """Words of a line; $(…) counts as one."""
    line = re.sub(r"""\$\(([^()"']|"[^"]*"|'[^']*')*\)""", "VALUE", line)
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;")
    lexer.whitespace_split = True
    return list(lexer)


def faults(words: list[str]) -> Iterator[str]:
    """The command names and options that do not exist."""
    program, *rest = words
    program = program.removeprefix(".venv/bin/")
    if program == "cxr":
        yield from _unknown_to_cxr(rest)
    elif program == "make":
        yield from (f"make {word}" for word in rest if word not in TARGETS)
    elif program == "python" and rest[:1] == ["-m"]:
        module = REPOSITORY / rest[1].replace(".", "/")
        if not (module.with_suffix(".py").exists() or (module / "__main__.py").exists()):
            yield f"python -m {rest[1]}"
    elif not ((REPOSITORY / program).exists() if "/" in program else program in OTHERS):
        yield program


def _unknown_to_cxr(words: list[str]) -> Iterator[str]:
    command, context = COMMAND, COMMAND.make_context("cxr", [], resilient_parsing=True)
    while words and hasattr(command, "get_command"):
        name, *words = words
        found = command.get_command(context, name)
        if found is None:
            yield f"cxr {name}"
            return
        command = found
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        option = word.partition("=")[0]
        if re.match(r"--?[a-z]", option) and option not in known | {"--help"}:
            yield f"cxr {command.name} {option}"


def test_a_wrong_command_is_found() -> None:
    block = "A=1 make nothing && .venv/bin/cxr classify --no-such x # make neither\npython -m scripts.none | nowhere"
    found = [fault for words in commands(block) for fault in faults(words)]
    assert found == ["make nothing", "cxr classify --no-such", "python -m scripts.none", "nowhere"]


@pytest.mark.parametrize("name", NAMES)
def test_files_that_a_page_names_are_there(name: str) -> None:
    """Folders and modules in backticks, from the root of the tree."""
    named = re.findall(rf"`({PATH})`", text_of(name))
    assert name != "docs/architecture.md" or len(named) > 50, "the pattern finds nothing"
    assert [path for path in named if not (REPOSITORY / path).exists()] == []


def test_every_setting_is_in_the_table() -> None:
    table = text_of("docs/hospital.md")
    named = set(re.findall(r"`CXR_(\w+)`", table))
    assert named == {name.upper() for name in Settings.model_fields}


def test_every_alert_is_in_the_table_and_every_metric_of_the_table_is_in_the_code() -> None:
    page = text_of("docs/operator.md")
    rules = yaml.safe_load(text_of("deploy/alerts.yml"))["groups"]
    assert set(re.findall(r"`(Cxr\w+)`", page)) == {rule["alert"] for group in rules for rule in group["rules"]}
    dashboard = text_of("deploy/dashboard.json") + text_of("deploy/alerts.yml")
    named = set(re.findall(r"`(cxr_[a-z_]+)`", page))
    assert named
    assert [name for name in named if not name.endswith("_") and name not in dashboard] == []


def test_every_warning_is_in_the_table() -> None:
    page = text_of("docs/radiologist.md")
    warnings = [
        *(acceptance.SECONDARY_CAPTURE, acceptance.MINOR, acceptance.MIRRORED, acceptance.TURNED, acceptance.BODY_PART),
        *(acceptance.DECUBITUS, meaning.RESCALE, meaning.MODALITY_LUT, meaning.WINDOW, meaning.SHAPE),
        *(pipeline.NO_LUNGS, pipeline.UNFAMILIAR),
    ]
    assert [warning for warning in warnings if f"| {warning} |" not in page] == []


def test_the_sample_answer_has_the_answers_fields() -> None:
    (block,) = blocks("README.md", {"json"})
    assert set(json.loads(block)) < set(Classification.model_fields)


def test_decisions_are_numbered_dated_and_in_the_index() -> None:
    folder, index = REPOSITORY / "docs" / "decisions", text_of("docs/decisions.md")
    pages = sorted(folder.glob("0*.md"))
    assert [int(page.name[:3]) for page in pages] == [*range(1, len(pages) + 1)]
    assert [page.name for page in pages if f"| {page.name[:3]} | [" not in index or page.name not in index] == []
    for page in pages:
        head, *parts = page.read_text(encoding="utf-8").split("\n## ")
        assert re.search(r"^Date: .*20\d\d\. (In force|Superseded by \[\d{3}\].*)\.$", head, re.MULTILINE), page.name
        assert [part.partition("\n")[0] for part in parts][:2] == ["Context", "Choice"], page.name


def test_every_page_is_in_the_sites_navigation() -> None:
    configuration = text_of("mkdocs.yml")
    pages = [name.removeprefix("docs/") for name in NAMES if name.startswith("docs/")]
    assert len(pages) > 20
    assert [page for page in pages if not re.search(rf"[\[\s]{re.escape(page)}[,\]\n]", configuration)] == []


@pytest.mark.skipif(shutil.which("codespell", path=str(Path(sys.executable).parent)) is None, reason="needs codespell")
def test_spelling() -> None:
    program = Path(sys.executable).parent / "codespell"
    done = subprocess.run([program, *NAMES], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_prose_of_the_documents() -> None:
    pytest.importorskip("proselint")
    from scripts import prose

    assert prose.lint(path for path in prose.files() if path.suffix == ".md") == []


@pytest.mark.slow
def test_prose_of_docstrings_comments_and_messages() -> None:
    pytest.importorskip("proselint")
    from scripts import prose

    assert prose.lint(path for path in prose.files() if path.suffix == ".py") == []


def test_bad_prose_is_found(tmp_path: Path) -> None:
    pytest.importorskip("proselint")
    from scripts import prose

    page, module = tmp_path / "page.md", tmp_path / "module.py"
    page.write_text("It is good good.\n\n```sh\nthe the\n```\n")
    archaic = "Whi" + "ther"
    module.write_text(f'"""{archaic} the rows run."""\n\nknob = 1  # very unique\n')
    found = prose.lint([page, module])
    assert {line.rpartition("/")[2].split()[0] for line in found} == {"page.md:1:", "module.py:1:", "module.py:3:"}


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "site" / "openapi.json").read_text())["paths"]["/explain"]
    assert "Grad-CAM" in (tmp_path / "site" / "about" / "start" / "index.html").read_text()
