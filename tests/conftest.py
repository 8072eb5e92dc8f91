"""Fixtures that many tests share."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings

from cxr.model.bundle import Bundle
from scripts.server import Server, serve
from tests import files
from tests.bundles import make_bundle
from tests.sessions import reused

# Fifty examples per property, the same ones each time in CI. No example has a time limit.
settings.register_profile(
    "suite",
    max_examples=50,
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("suite")
# For each mode of tests/service/routes/test_openapi.py.
settings.register_profile("thorough", settings.get_profile("suite"), max_examples=500)

FIRST: Final = "0123456789abcdef"
SECOND: Final = "a key of another ward"
WRONG: Final = "not-one-of-them"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """The scheduler for `--dist loadfile`; tests/scheduler.py gives the reason."""
    from tests.scheduler import ByModule

    return ByModule(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(autouse=True, scope="session")
def _sessions() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        reused(patch)
        yield


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Two members of different architecture, random weights, 64 pixels, and a real lung segmenter, exported.

    The first member has the opacity head. Do not write into it.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # the folder of the whole run, because all its processes share the bundle
    root = folder / "pair"
    with root.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if root.exists():
            return Bundle(root)
        return make_bundle(root, ("resnet18", "vgg16_bn"), lungs=True, opacity_heads=("resnet18",))


@pytest.fixture(scope="session")
def server(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server with that bundle; its explainer is ready."""
    with serve(tmp_path_factory.mktemp("server") / "log", bundle.root) as running:
        running.wait_for_explainer(files.quarter_png())
        yield running


@pytest.fixture(scope="session")
def server_with_keys(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Another, which asks for a key and does not explain."""
    log, service = tmp_path_factory.mktemp("keys") / "log", ("service.bento.classifier:ApiWithoutExplainer",)
    with serve(log, bundle.root, service, api_keys=f"{FIRST},{SECOND}") as running:
        yield running


@pytest.fixture
def copy(bundle: Bundle, tmp_path: Path) -> Path:
    """The folder of the same bundle, to write into. Weights and graphs are links: unlink before writing."""
    return shutil.copytree(bundle.root, tmp_path / "copy", copy_function=_link)


def _link(source: str, target: str) -> None:
    if source.endswith(".json"):
        shutil.copy(source, target)
    else:
        Path(target).hardlink_to(source)
