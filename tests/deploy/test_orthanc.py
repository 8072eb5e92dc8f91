"""deploy/orthanc/: its files are consistent with each other, `cxr pacs` and deploy/compose.yaml; no container runs."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from typer.testing import CliRunner

from hospital.app import app
from hospital.metrics import Metrics
from hospital.spool import Spool
from scripts.server import REPOSITORY
from tests.hospital.orthanc import NODE_PORT

DEPLOY = REPOSITORY / "deploy"
ORTHANC = DEPLOY / "orthanc"
SERVICES: dict[str, Any] = yaml.safe_load((ORTHANC / "compose.yaml").read_text())["services"]
BASE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
CONFIGURATION: dict[str, Any] = json.loads((ORTHANC / "orthanc.json").read_text())
DOCKERFILE = (ORTHANC / "pacs.Dockerfile").read_text()
COMMAND = dict(option.removeprefix("--").split("=", 1) for option in SERVICES["pacs"]["command"][1:])


def test_the_nodes_options_are_the_commands() -> None:
    shown = CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"}).stdout
    assert SERVICES["pacs"]["command"][0] == "serve"
    assert all(f"--{name}" in shown for name in COMMAND)


def test_archive_and_node_know_each_other() -> None:
    title, host, port = CONFIGURATION["DicomModalities"]["CXR"]
    assert (title, host, port) == ("CXR", "pacs", NODE_PORT), "title and port are the command's own defaults"
    assert COMMAND["archive"] == f"{CONFIGURATION['DicomAet']}@orthanc:{CONFIGURATION['DicomPort']}"
    assert COMMAND["caller"] == CONFIGURATION["DicomAet"]
    assert {host, "orthanc"} <= set(SERVICES)
    assert 'SendToModality(instanceId, "CXR")' in (ORTHANC / "router.lua").read_text()


def test_the_service_is_that_of_the_other_file() -> None:
    assert COMMAND["service"] == "http://proxy:8080"
    assert "proxy" in BASE["services"]
    (secret,) = SERVICES["pacs"]["secrets"]
    assert secret in BASE["secrets"]
    assert COMMAND["key-file"] == f"/run/secrets/{secret}"


def test_the_mounted_files_are_there() -> None:
    mounted = [volume.split(":") for service in SERVICES.values() for volume in service.get("volumes", ())]
    paths = [DEPLOY / outside for outside, *_ in mounted if outside.startswith(".")]
    assert len(paths) == 3
    assert all(path.is_file() for path in paths)
    scripts = [inside for _, inside, *_ in mounted if inside.endswith(".lua")]
    assert scripts == CONFIGURATION["LuaScripts"]


def test_prometheus_scrapes_the_node_too() -> None:
    base, ours = (yaml.safe_load((folder / "prometheus.yml").read_text()) for folder in (DEPLOY, ORTHANC))
    added = ours["scrape_configs"].pop()
    assert ours == base
    assert added["static_configs"][0]["targets"] == [f"pacs:{COMMAND['metrics-port']}"]


def test_nothing_is_open_to_the_network() -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["orthanc"]["ports"])
    assert "ports" not in SERVICES["pacs"]
    assert CONFIGURATION["AuthenticationEnabled"]


def test_the_image_holds_what_the_command_imports(tmp_path: Path) -> None:
    """With only the files that the image copies on the path, the command starts, and all its imports exist."""
    copied = re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE)
    sources = [name for line in copied for name in line.split() if not name.startswith("requirements")]
    for name in sources:
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(REPOSITORY / name)
    modules = [f"hospital.{path.stem}" for path in (REPOSITORY / "hospital").glob("*.py") if path.stem[0] != "_"]
    code = (
        f"import importlib, sys; sys.path[0] = {str(tmp_path)!r}; "
        f"[importlib.import_module(name) for name in {modules}]; "
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"torch", "cv2", "onnxruntime", "bentoml", "fastapi", "service", "attribution"}
    declared = (REPOSITORY / "requirements" / "pacs.in").read_text()
    for package in ("httpx", "prometheus_client", "pydicom", "pynetdicom", "typer"):
        assert package in loaded
        assert package.replace("_", "-") in declared


def test_figures_are_named_as_the_page_names_them(tmp_path: Path) -> None:
    metrics = Metrics()
    metrics.watch(Spool(tmp_path / "spool"))
    known = {sample.name for family in metrics.registry.collect() for sample in family.samples}
    named = set(re.findall(r"cxr_pacs_\w+", (REPOSITORY / "docs" / "pacs.md").read_text()))
    assert named
    assert named <= known


def test_the_pages_archive_is_the_examples(tmp_path: Path) -> None:
    """The file that a block of docs/pacs.md writes, in a temporary folder."""
    page = (REPOSITORY / "docs" / "pacs.md").read_text()
    (block,) = re.findall(r"^mkdir .*?^END\n", page, re.DOTALL | re.MULTILINE)
    commands = block.replace("/tmp/archive", str(tmp_path))
    subprocess.run(["bash", "-ec", commands], cwd=REPOSITORY, check=True)
    written = json.loads((tmp_path / "orthanc.json").read_text())
    assert Path(written["LuaScripts"][0]) == ORTHANC / "router.lua"
    for key in ("DicomAet", "DicomPort", "HttpPort"):
        assert written[key] == CONFIGURATION[key]
    assert written["DicomModalities"]["CXR"] == ["CXR", "127.0.0.1", NODE_PORT]
    assert f"--archive {written['DicomAet']}@127.0.0.1:{written['DicomPort']}" in page
    assert f"-aec {written['DicomAet']} 127.0.0.1 {written['DicomPort']}" in page
