"""The bento: it cannot be built without its graphs, and serves from anywhere with them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from cxr.model.bundle import Bundle
from scripts.server import REPOSITORY, serve
from service.routes.page import PATHS
from tests import files

pytestmark = pytest.mark.slow

SOURCES = ("attribution", "bentofile.api.yaml", "bentofile.yaml", "cxr", "LICENSE", "requirements", "service")


@pytest.fixture
def checkout(bundle: Bundle, tmp_path: Path) -> Path:
    """The files of a bento, with a bundle of random weights as the default bundle."""
    root = tmp_path / "checkout"
    for name in SOURCES:
        source = REPOSITORY / name
        (root / name).parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__"))  # tests write there
        else:
            shutil.copy(source, root / name)
    shutil.copytree(bundle.root, root / "models" / "default")
    return root


def build(checkout: Path, home: Path, bentofile: str = "bentofile.yaml") -> subprocess.CompletedProcess[str]:
    home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "bentoml", "build", "--output", "tag", "--bentofile", bentofile]
    path = f"{REPOSITORY / 'build' / 'uv' / 'bin'}:{os.environ['PATH']}"  # BentoML looks for uv
    environment = os.environ | {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True", "PATH": path}
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
        assert answer.json()["bundle"]["name"] == "random"
        assert all(server.client.get(path).status_code == 200 for path in PATHS)
        server.wait_for_explainer(files.radiograph_png())


def test_a_build_does_not_swallow_the_last_one(checkout: Path) -> None:
    """The store of `make bento` is in the checkout, and BentoML searches the whole checkout."""
    home = checkout / ".bentoml"
    for _ in range(2):
        result = build(checkout, home)
        assert result.returncode == 0, result.stdout + result.stderr
    manifests = list(home.glob("bentos/deepcovidexplainer/*/bento.yaml"))
    assert len(manifests) == 2
    for manifest in manifests:
        folders = {path.name for path in (manifest.parent / "src").iterdir()}
        assert folders >= {"attribution", "cxr", "models", "service"}
        assert not folders & {".bentoml", "build", "requirements", "tests"}


def test_the_api_alone_has_no_torch_and_no_explainer(checkout: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    result = build(checkout, home, "bentofile.api.yaml")
    assert result.returncode == 0, result.stdout + result.stderr
    (manifest,) = home.glob("bentos/deepcovidexplainer-api/*/bento.yaml")
    bento = manifest.parent
    packages = (bento / "env" / "python" / "requirements.txt").read_text()
    assert "\nonnxruntime==" in packages
    assert not any(f"\n{name}" in packages for name in ("torch", "onnxruntime-gpu", "nvidia-cu", "triton"))
    assert not (bento / "src" / "attribution").exists()
    with serve(tmp_path / "log", bundle=None, service=(str(bento),), cwd=tmp_path) as server:
        png = {"Content-Type": "image/png"}
        assert server.client.post("/classify", content=files.radiograph_png(), headers=png).status_code == 200
        assert all(server.client.get(path).status_code == 200 for path in PATHS)
        away = server.client.post("/explain", content=files.radiograph_png(), headers=png)
        assert away.json()["error"]["code"] == "explainer_unavailable"
        assert not [child for child in psutil.Process(server.process.pid).children() if "explainer" in child.cmdline()]


def test_an_image_restarts_dead_workers(bundle: Bundle) -> None:
    """BentoML's images set a variable that would prevent it; the bento's entry module removes the variable."""
    code = (
        "import cxr.model.bundle, os, pathlib; "
        f"cxr.model.bundle.DEFAULT_BUNDLE = pathlib.Path({str(bundle.root)!r}); "
        "import service.bento.build; from bentoml.serving import running_inside_container; "
        "assert not running_inside_container()"
    )
    environment = os.environ | {"BENTOML_CONTAINERIZED": "true"}
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=REPOSITORY, env=environment, check=True)
