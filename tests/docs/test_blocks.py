"""Every block of code of the documents is run by a test, or `NOT_RUN` says why it is not.

Blocks that need a server are in `test_clients`; commands and options of all shell blocks are checked in `test_pages`.
"""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner

from cli import app
from tests import files
from tests.docs.pages import NAMES, SHELLS, blocks
from tests.docs.test_pages import commands
from tests.training.prepare.trees import by_class, chest, put, put_text

runner = CliRunner()

TRAINING: Final = "a training: `tests/cli/test_workflow.py` runs the same commands on small pictures"
MACHINE: Final = "installs packages or builds images"
ARCHIVE: Final = (
    "needs Orthanc and its ports: `tests/hospital/test_round_trip.py` does the same in a network of its own"
)

NOT_RUN: Final = {
    ("CONTRIBUTING.md", 0): MACHINE,
    ("README.md", 0): "starts the server that the tests start themselves; `make demo` is by hand",
    ("docs/archives.md", 0): "needs an archive and a Ray cluster: `tests/archive` runs both engines",
    ("docs/data.md", 1): TRAINING,
    ("docs/gate.md", 0): MACHINE,
    ("docs/hospital.md", 0): MACHINE,
    ("docs/operator.md", 0): "needs Docker: `tests/deploy/test_compose.py` checks the files that it uses",
    ("docs/operator.md", 1): "replaces a model under a server: `tests/service/bundles` does the same",
    ("docs/pacs.md", 0): "starts the server that the tests start themselves",
    ("docs/pacs.md", 1): ARCHIVE,
    ("docs/pacs.md", 2): ARCHIVE,
    ("docs/pacs.md", 3): ARCHIVE,
    ("docs/pacs.md", 4): ARCHIVE,
    ("docs/pacs.md", 5): MACHINE,
    ("docs/pacs.md", 6): ARCHIVE,
    ("docs/researcher.md", 0): TRAINING,
    ("docs/researcher.md", 1): TRAINING,
    ("docs/researcher.md", 2): "selects among trained runs and commits: `tests/cli/test_select.py` runs the commands",
    ("docs/researcher.md", 3): TRAINING,
    ("docs/site.md", 0): "`tests/cli/test_site.py` runs the command on small pictures",
}
"""Shell blocks by page and number among the page's shell blocks."""

RUN: Final = {
    ("README.md", 1): "test_clients",
    ("README.md", 2): "test_the_readmes_radiograph",
    ("docs/clients.md", 0): "test_clients",
    ("docs/data.md", 0): "test_prepare",
    ("docs/data.md", 2): "test_prepare",
    ("docs/data.md", 3): "test_prepare",
    ("docs/data.md", 4): "test_prepare",
    ("docs/data.md", 5): "test_prepare",
    ("docs/kubernetes.md", 0): "test_signing",
}


def test_every_shell_block_is_run_or_has_a_reason() -> None:
    there = {(name, number) for name in NAMES for number in range(len(blocks(name, SHELLS)))}
    assert there == NOT_RUN.keys() | RUN.keys()
    assert not NOT_RUN.keys() & RUN.keys()


def test_the_readmes_radiograph(tmp_path: Path) -> None:
    block = blocks("README.md", SHELLS)[2].replace(".venv/bin/python", sys.executable)
    subprocess.run(["bash", "-ec", block], cwd=tmp_path, check=True)
    assert files.parse((tmp_path / "chest.dcm").read_bytes()).Modality in ("CR", "DX")


def _folders(folder: Path) -> None:
    by_class(folder / "chest-xrays", 6, ("NORMAL", "PNEUMONIA", "COVID-19"))


def _patients(folder: Path) -> None:
    for index in range(18):
        label = ("NORMAL", "PNEUMONIA", "COVID-19")[index % 3]
        put(folder / "chest_xray" / label / f"person{index}_1.png", chest(index))


def _covidx(folder: Path) -> None:
    lines = [f"p{index} {index}.png {('normal', 'pneumonia', 'COVID-19')[index % 3]} rsna" for index in range(24)]
    for index in range(24):
        put(folder / "COVIDx" / ("test" if index < 6 else "train") / f"{index}.png", chest(index))
    put_text(folder / "COVIDx" / "test_COVIDx9A.txt", *lines[:6])
    put_text(folder / "COVIDx" / "train_COVIDx9A.txt", *lines[6:])


def _cohen(folder: Path) -> None:
    root = folder / "covid-chestxray-dataset"
    findings = ("No Finding", "Pneumonia/Bacterial", "Pneumonia/Viral/COVID-19")
    rows = [f"{index},{findings[index % 3]},PA,X-ray,images,{index}.png,CC BY" for index in range(18)]
    put_text(root / "metadata.csv", "patientid,finding,view,modality,folder,filename,license", *rows)
    for index in range(18):
        put(root / "images" / f"{index}.png", chest(index))


def _csv(folder: Path) -> None:
    words = ("normal", "PNA", "U07.1")
    rows = [f"{index}.png,{words[index % 3]},{index}" for index in range(18)]
    put_text(folder / "export" / "cohort.csv", "path,diagnosis,mrn", *rows)
    for index in range(18):
        put(folder / "export" / f"{index}.png", chest(index))


@pytest.mark.parametrize(
    ("number", "collection"), [(0, _folders), (2, _patients), (3, _covidx), (4, _cohen), (5, _csv)]
)
def test_prepare(
    number: int, collection: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection(tmp_path)
    monkeypatch.chdir(tmp_path)
    block = blocks("docs/data.md", SHELLS)[number]
    prepare = [words for words in commands(block) if words[1] == "prepare"]
    assert prepare
    for words in prepare:
        result = runner.invoke(app, words[1:])
        assert result.exit_code == 0, result.output
    assert (tmp_path / "data" / "metadata.csv").exists()


def test_signing(copy: Path, tmp_path: Path) -> None:
    (block,) = blocks("docs/kubernetes.md", SHELLS)
    openssl, *signing = block.splitlines()
    subprocess.run(["bash", "-ec", openssl], cwd=tmp_path, check=True, capture_output=True)
    for line in signing:
        (words,) = commands(re.sub(r"models/default", str(copy), line))
        words = [str(tmp_path / word) if word.endswith(".pem") else word for word in words]
        result = runner.invoke(app, words[1:])
        assert result.exit_code == 0, result.output
