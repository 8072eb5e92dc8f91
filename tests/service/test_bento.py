"""The bento: it cannot be built without its graphs, and serves from anywhere with them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cxr.bundle import Bundle
from scripts.server import REPOSITORY, serve
from tests import files

pytestmark = pytest.mark.slow

SOURCES = ("attribution", "bentofile.yaml", "cxr", "LICENSE", "requirements", "service")


@pytest.fixture
def checkout(bundle: Bundle, tmp_path: Path) -> Path:
    """What a bento is made of, with a bundle of random weights as the default one."""
    root = tmp_path / "checkout"
    for name in SOURCES:
        source = REPOSITORY / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        (root / name).parent.mkdir(exist_ok=True)
        copy(source, root / name)
    shutil.copytree(bundle.root, root / "models" / "default")
    return root


def build(checkout: Path, home: Path) -> subprocess.CompletedProcess[str]:
    home.mkdir()
    command = [sys.executable, "-m", "bentoml", "build", "--output", "tag"]
    environment = os.environ | {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True"}
    environment.pop("CXR_BUNDLE", None)
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)


def test_no_graphs_no_bento(checkout: Path, tmp_path: Path) -> None:
    shutil.rmtree(checkout / "models" / "default" / "onnx")
    result = build(checkout, tmp_path / "home")
    assert result.returncode != 0
    assert "run `cxr export`" in result.stdout + result.stderr
    assert not list((tmp_path / "home" / "bentos").glob("*/*/bento.yaml"))


def test_a_bento_serves_from_another_folder(checkout: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    result = build(checkout, home)
    assert result.returncode == 0, result.stdout + result.stderr
    (manifest,) = home.glob("bentos/deepcovidexplainer/*/bento.yaml")
    bento = shutil.copytree(manifest.parent, tmp_path / "elsewhere" / "bento")
    shutil.rmtree(checkout)
    shutil.rmtree(home)
    with serve(tmp_path / "log", bundle=None, service=(str(bento),), cwd=tmp_path) as server:
        assert f"CXR_BUNDLE={bento / 'src' / 'models' / 'default'}" in server.log_text()
        png = {"Content-Type": "image/png"}
        answer = server.client.post("/classify", content=files.radiograph_png(), headers=png)
        assert answer.json()["bundle"] == {"name": "random", "version": "0"}
        server.wait_for_explainer(files.radiograph_png())
