"""The house: who imports whom, what a process loads, how long a file may be, what is never committed."""

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import cxr

ROOT = Path(cxr.__file__).parents[1]
PACKAGES = (
    "attribution", "cli", "cxr", "evaluation", "export", "loadtests", "networks", "reporting", "scripts", "service",
    "study", "training",
)  # fmt: skip
HOUSE = {*PACKAGES, "tests"}


def sources(package: str) -> list[Path]:
    """The files of a package."""
    return sorted((ROOT / package).rglob("*.py"))


def imports(tree: ast.AST) -> Iterator[str]:
    """Full names of all that is imported anywhere in a tree, in functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "the house imports by full names"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def roots(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(parse(path))}


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def every_module() -> list[Path]:
    return [path for package in PACKAGES for path in sources(package)]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("cxr", {"cxr"}),
        ("networks", {"networks", "cxr"}),
        ("attribution", {"attribution", "cxr", "networks"}),
        ("export", {"export", "cxr", "networks"}),
        ("training", {"training", "cxr", "networks", "evaluation", "reporting"}),
        ("evaluation", {"evaluation", "training", "cxr", "networks", "export", "attribution"}),
        ("study", {"study", "evaluation", "training", "cxr", "networks", "export"}),
        ("reporting", {"reporting", "study", "evaluation", "training", "cxr", "export", "attribution"}),
        ("service", {"service", "cxr", "attribution"}),
        ("cli", HOUSE - {"service", "tests", "loadtests", "scripts"}),
    ],
)
def test_a_package_imports_only_what_lies_below_it(package: str, allowed: set[str]) -> None:
    assert sources(package)
    for path in sources(package):
        assert roots(path) & HOUSE <= allowed, name_of(path)


def test_nothing_but_tests_and_loadtests_imports_the_service() -> None:
    importers = {name_of(path) for path in every_module() if "service" in roots(path)}
    strangers = {path for path in importers if path.split("/")[0] not in ("service", "loadtests")}
    assert strangers == set()
    assert importers, "the service imports itself, or this test sees nothing"


def test_attribution_serves_nothing_and_reads_nothing() -> None:
    for path in sources("attribution"):
        assert not roots(path) & {"bentoml", "fastapi", "starlette", "pathlib", "os", "io"}, name_of(path)


def test_the_core_imports_no_torch() -> None:
    assert [path.name for path in sources("cxr") if roots(path) & {"torch", "torchvision"}] == []


def test_the_core_loads_no_torch() -> None:
    modules = [
        name_of(path).removesuffix(".py").replace("/", ".") for path in sources("cxr") if path.stem != "__init__"
    ]
    assert len(modules) > 15
    code = f"import importlib, json, sys; [importlib.import_module(name) for name in {modules}]"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{code}; print(json.dumps([*sys.modules]))"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert not loaded & {"torch", "torchvision", "sklearn", "matplotlib", "onnx", "bentoml", "fastapi"}
    assert loaded & HOUSE == {"cxr"}
    assert "onnxruntime" in loaded


PICKLES = {"pickle", "dill", "joblib", "cloudpickle", "torch.load", "torch.save", "torch.jit", "shelve", "marshal"}


@pytest.mark.parametrize("path", every_module(), ids=name_of)
def test_models_are_never_pickled(path: Path) -> None:
    tree = parse(path)
    attributes = {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    assert not {*imports(tree), *attributes} & PICKLES


# --- House numbers


@pytest.mark.parametrize("path", every_module(), ids=name_of)
def test_files_and_functions_stay_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 80, node.name


@pytest.mark.parametrize("path", every_module(), ids=name_of)
def test_modules_say_what_they_are_for(path: Path) -> None:
    assert ast.get_docstring(parse(path)) or not path.read_text(encoding="utf-8").strip()


# --- What is committed


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [Path(name) for name in done.stdout.split("\0") if name]


IMAGES = {".png", ".jpg", ".jpeg", ".dcm", ".dicom", ".gif", ".tif", ".tiff", ".bmp", ".webp", ".npy", ".npz"}


def test_no_radiograph_is_committed(tracked: list[Path]) -> None:
    """Patients' images stay where their licences put them. Pictures of our own are under docs/."""
    assert [path for path in tracked if path.suffix.lower() in IMAGES and path.parts[0] != "docs"] == []


def test_exported_graphs_and_pickles_are_not_committed(tracked: list[Path]) -> None:
    assert [path for path in tracked if path.suffix in (".onnx", ".pt", ".pth", ".pkl", ".ckpt", ".bin")] == []


def test_committed_weights_stay_small(tracked: list[Path]) -> None:
    weights = [ROOT / path for path in tracked if path.suffix == ".safetensors"]
    assert sum(path.stat().st_size for path in weights if path.exists()) <= 24 * 1024 * 1024
    assert all(path.parts[: len(ROOT.parts) + 2][-2:] == ("models", "default") for path in weights)
