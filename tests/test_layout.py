"""The repository's rules: imports between packages, file sizes, committed files, processes without torch."""

import ast
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import cxr

ROOT = Path(cxr.__file__).parents[1]

# For each package: the packages of this project that it may import, besides itself.
MAY_IMPORT = {
    "cxr": set(),
    "networks": {"cxr"},
    "attribution": {"cxr", "networks"},
    "export": {"cxr", "networks"},
    "training": {"cxr", "networks"},
    "evaluation": {"attribution", "cxr", "export", "networks", "training"},
    "study": {"cxr", "evaluation", "export", "networks", "training"},
    "reporting": {"cxr", "evaluation", "export", "study", "training"},
    "service": {"attribution", "cxr"},
    "archive": {"cxr"},
    "hospital": {"cxr"},  # it calls the service by HTTP
    "cli": {
        "archive", "attribution", "cxr", "evaluation", "export", "hospital", "networks", "reporting", "study",
        "training",
    },
    "scripts": {"attribution", "cxr", "evaluation", "export", "networks", "reporting", "study", "tests", "training"},
    "loadtests": {"archive", "attribution", "cxr", "export", "networks", "scripts", "service"},
}  # fmt: skip
HOUSE = {*MAY_IMPORT, "tests"}

# For each package: the third-party packages that it must not import.
FORBIDDEN = {
    "cxr": {"torch", "torchvision", "sklearn", "matplotlib", "onnx", "bentoml", "fastapi", "starlette"},
    "attribution": {"bentoml", "fastapi", "starlette", "pathlib", "os", "io"},  # it neither serves nor reads files
}

FILE_LINES, FUNCTION_LINES, MODULES = 400, 80, 20
PICKLES = {"pickle", "dill", "joblib", "cloudpickle", "torch.load", "torch.save", "torch.jit", "shelve", "marshal"}

IMAGES = {".png", ".jpg", ".jpeg", ".dcm", ".dicom", ".gif", ".tif", ".tiff", ".bmp", ".webp", ".npy", ".npz"}
GRAPHS = {".onnx", ".pt", ".pth", ".pkl", ".ckpt", ".bin"}
WEIGHTS_MIB = 48
REST_MB = 15


def sources(package: str) -> list[Path]:
    """The files of a package."""
    return sorted((ROOT / package).rglob("*.py"))


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(tree: ast.AST) -> Iterator[str]:
    """Full names of all imports in a syntax tree, including those in functions. A relative import begins with a dot."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_packages_import_only_allowed_packages() -> None:
    assert {path.parent.name for path in ROOT.glob("*/__init__.py")} == HOUSE, "a package has no line in MAY_IMPORT"
    offenders = []
    for package, allowed in MAY_IMPORT.items():
        for path in sources(package):
            found = {name.split(".")[0] for name in imports(parse(path))}
            wrong = (found & HOUSE - allowed - {package}) | (found & FORBIDDEN.get(package, set())) | (found & {""})
            offenders += [f"{name_of(path)} imports {name or 'by a relative name'}" for name in sorted(wrong)]
    assert not offenders, "\n".join(offenders)


def test_sizes_of_files_and_folders() -> None:
    offenders = [name for package in MAY_IMPORT for path in sources(package) for name in _faults(path)]
    folders = Counter(path.parent for package in HOUSE for path in sources(package) if path.stem != "__init__")
    offenders += [f"{name_of(folder)}: {count} modules" for folder, count in folders.items() if count > MODULES]
    assert not offenders, "\n".join(offenders)


def _faults(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    tree, name, lines = ast.parse(text, str(path)), name_of(path), len(text.splitlines())
    if lines > FILE_LINES:
        yield f"{name}: {lines} lines"
    if text.strip() and not ast.get_docstring(tree):
        yield f"{name} does not say what it is for"
    attributes = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno
            if length >= FUNCTION_LINES:
                yield f"{name}: {node.name} has {length} lines"
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            attributes.add(f"{node.value.id}.{node.attr}")
    yield from (f"{name} uses {pickle}: models are never pickled" for pickle in {*imports(tree), *attributes} & PICKLES)


def test_what_is_committed() -> None:
    """No radiograph (for its licence), no graph and no pickle is committed, and only small weights of one model."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    tracked = [Path(name) for name in done.stdout.split("\0") if name]
    weights = [path for path in tracked if path.suffix == ".safetensors"]
    offenders = [f"{path} is an image" for path in tracked if path.suffix.lower() in IMAGES and path.parts[0] != "docs"]
    offenders += [f"{path} is a graph or a pickle" for path in tracked if path.suffix in GRAPHS]
    offenders += [f"{path} is of another model" for path in weights if path.parts[:2] != ("models", "default")]
    size = sum((ROOT / path).stat().st_size for path in weights if (ROOT / path).exists())
    offenders += [f"weights of {size / 2**20:.1f} MiB"] if size > WEIGHTS_MIB * 2**20 else []
    rest = sum((ROOT / path).stat().st_size for path in tracked if path.parts[0] != "models" and (ROOT / path).exists())
    offenders += [f"{rest / 1e6:.1f} MB outside models"] if rest > REST_MB * 1e6 else []
    assert not offenders, "\n".join(offenders)


CORE = {"torch", "torchvision", "sklearn", "matplotlib", "onnx", "bentoml", "fastapi"}
API = {"torch", "torchvision", "captum", "sklearn", "matplotlib", "onnx"}


def test_neither_the_core_nor_the_api_process_loads_torch() -> None:
    core = [name_of(path).removesuffix(".py").replace("/", ".") for path in sources("cxr") if path.stem != "__init__"]
    assert len(core) > 15
    loaded = _loaded_by(core, "-W", "error")
    assert not loaded & CORE, loaded & CORE
    assert loaded & HOUSE == {"cxr"}
    assert "onnxruntime" in loaded
    loaded = _loaded_by(["service.bento.api", "service.runtime"])
    assert not loaded & API, loaded & API
    assert loaded & HOUSE == {"cxr", "service"}


def _loaded_by(modules: list[str], *options: str) -> set[str]:
    """The packages that a process has loaded after it imported these modules."""
    code = f"import importlib, json, sys; [importlib.import_module(name) for name in {modules}]"
    command = [sys.executable, *options, "-c", f"{code}; print(json.dumps([*sys.modules]))"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
