"""Run each block of docs/clients.md unchanged against a live server."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fhir.resources.R4B.bundle import Bundle as FhirBundle

from cxr.labels import LABELS
from cxr.model.bundle import Bundle
from scripts.server import REPOSITORY, Server, serve
from tests import files
from tests.docs import pages
from tests.hospital.network import can_be_had, own_network
from tests.hospital.orthanc import DICOM_PORT, DICOMWEB, PROGRAM, Orthanc
from tests.hospital.peers import send

PAGE = (REPOSITORY / "docs" / "clients.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:3000"


def blocks(language: str) -> list[str]:
    found = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "chest.dcm").write_bytes(files.radiograph_dicom())
    (tmp_path / "chest.png").write_bytes(files.radiograph_png())
    return tmp_path


def run(server: Server, folder: Path, command: list[str], block: str) -> str:
    text = block.replace(ADDRESS, str(server.client.base_url).rstrip("/"))
    done = subprocess.run([*command, text], cwd=folder, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_block_is_of_a_language_that_is_run() -> None:
    assert set(re.findall(r"```(\w+)\n", PAGE)) == {"bash", "python", "lua"}


def test_curl(server: Server, folder: Path) -> None:
    (block,) = blocks("bash")
    said = run(server, folder, ["bash", "-ec"], block)
    assert json.loads(said)["prediction"] in LABELS
    assert (folder / "overlay.png").read_bytes().startswith(b"\x89PNG")
    FhirBundle.model_validate_json((folder / "bundle.json").read_bytes())
    made = [files.parse((folder / name).read_bytes()).Modality for name in ("report.dcm", "overlay.dcm")]
    assert made == ["SR", "OT"]


def test_the_readmes_curl(server: Server, folder: Path) -> None:
    (block,) = (block for block in pages.blocks("README.md", {"sh"}) if "curl" in block)
    said = run(server, folder, ["bash", "-ec"], block)
    assert json.loads(said)["prediction"] in LABELS
    assert (folder / "overlay.png").read_bytes().startswith(b"\x89PNG")


def test_python(server: Server, folder: Path) -> None:
    classifying, objects, bento = blocks("python")
    said = run(server, folder, [sys.executable, "-c"], classifying)
    assert len(said.splitlines()) == 2
    assert "refused" not in said
    run(server, folder, [sys.executable, "-c"], objects)
    assert {path.name for path in folder.glob("result.*")} == {"result.sc.dcm", "result.sr.dcm"}
    lines = run(server, folder, [sys.executable, "-W", "ignore", "-c"], bento).splitlines()
    assert [lines[0], *lines[2:]] == [lines[0]] * 3
    assert "probability" in lines[1]


@pytest.fixture
def network() -> Iterator[None]:
    with own_network():
        yield


@pytest.mark.slow
@pytest.mark.skipif(not (PROGRAM and DICOMWEB.exists()), reason="needs Debian's orthanc and orthanc-dicomweb")
@pytest.mark.skipif(not can_be_had(), reason="needs a network namespace, so root")
@pytest.mark.usefixtures("network")
def test_lua(bundle: Bundle, tmp_path: Path) -> None:
    (block,) = blocks("lua")
    script = tmp_path / "client.lua"
    with serve(tmp_path / "service.log", bundle.root) as server:
        script.write_text(block.replace(ADDRESS, str(server.client.base_url).rstrip("/")))
        archive = Orthanc(tmp_path, script)
        archive.start()
        try:
            assert send(DICOM_PORT, files.radiograph_dicom(), called="ORTHANC") == 0x0000
            (instance,) = archive.get("/instances")
            metadata = httpx.get(f"{archive.url}/instances/{instance}/metadata/4242").text
        finally:
            archive.stop()
        told = server.client.post("/classify", content=files.radiograph_dicom()).json()
    assert metadata == told["prediction"]
