"""Tries a mutant: tests in a fork of a process that has imported everything but the project."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, NamedTuple

import cv2
import pytest

HOUSE: Final = (
    "archive",
    "attribution",
    "cli",
    "cxr",
    "evaluation",
    "export",
    "networks",
    "service",
    "tests",
    "training",
)
PLUGINS: Final = ["-p", "no:cacheprovider", "-p", "no:cov", "-p", "no:xdist", "-p", "tests.in_process"]
GRACE: Final = 60.0
SLOWER: Final = 5.0
"""A mutant gets GRACE seconds, and this many times what its tests take: the machine may be busy."""

Verdict = Literal["killed", "timeout", "survived"]


class Outcome(NamedTuple):
    """What became of a mutant."""

    verdict: Verdict
    test: str
    """The first test that failed; empty where the module cannot even be imported."""


class _Watch:
    """In the fork: hands out the bundle that is made already, and writes the first failure down."""

    def __init__(self, bundle: Path, failure: Path) -> None:
        self._bundle = bundle
        self._failure = failure

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest) -> object:
        if fixturedef.argname != "bundle" or fixturedef.baseid != "tests":
            return None
        from cxr.model.bundle import Bundle

        made = Bundle(self._bundle)
        fixturedef.cached_result = (made, fixturedef.cache_key(request), None)  # type: ignore[arg-type]
        return made

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failure.write_text(report.nodeid, encoding="utf-8")


class Trials:
    """Works in a copy of the tree, whose files it changes; the current process moves there.

    It writes its other files beside the tree, so each `Trials` needs its own folder around its tree.
    """

    def __init__(self, tree: Path) -> None:
        self._tree = tree
        self._failure = tree.parent / "failure"
        self._bundle = tree.parent / "bundle"
        self._passes: dict[str, bool] = {}
        os.chdir(tree)
        cv2.setNumThreads(0)  # its pool of threads would not survive a fork
        os.environ |= {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
        sys.path.insert(0, str(tree))
        if not self._bundle.exists():
            _wait(_fork(self._make_bundle), 600.0)
        pytest.main(["--collect-only", "-qq", *PLUGINS, "tests/cxr", "tests/attribution"])
        for name in [name for name in sys.modules if name.partition(".")[0] in HOUSE]:
            del sys.modules[name]

    def _make_bundle(self) -> int:
        from tests.bundles import make_bundle

        make_bundle(self._bundle, ("resnet18", "vgg16_bn"), lungs=True, opacity_heads=("resnet18",))
        return 0

    def run(self, module: str, source: str | None, tests: list[str], seconds: float) -> Outcome:
        """The module with this source, or as it is, under these tests, which take that long."""
        path = self._tree / module
        original, stat = path.read_bytes(), path.stat()
        self._failure.unlink(missing_ok=True)
        try:
            if source is not None:
                path.write_text(source, encoding="utf-8")
            return self._verdict(_wait(_fork(lambda: self._tested(tests)), GRACE + SLOWER * seconds))
        finally:
            path.write_bytes(original)
            os.utime(path, (stat.st_atime, stat.st_mtime))

    def passes(self, test: str) -> bool:
        """Whether it does in the same circumstances without a mutant, or there is none to ask."""
        if test and test not in self._passes:
            self._passes[test] = self.run("cxr/__init__.py", None, [test], GRACE).verdict == "survived"
        return self._passes.get(test, True)

    def _verdict(self, code: int | None) -> Outcome:
        test = self._failure.read_text(encoding="utf-8") if self._failure.exists() else ""
        if code is None:
            return Outcome("timeout", test)
        return Outcome("survived" if code == 0 else "killed", test)

    def _tested(self, tests: list[str]) -> int:
        sys.dont_write_bytecode = True  # or a mutant would stay in __pycache__
        return int(pytest.main(["-x", "-q", *PLUGINS, *tests], plugins=[_Watch(self._bundle, self._failure)]))


def _fork(work: Callable[[], int]) -> int:
    """The id of a child, leader of a group, that does this in silence."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        os.setsid()
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        code = work()
    finally:
        os._exit(code)


def _wait(child: int, seconds: float) -> int | None:
    """Its exit code, None if it took longer; it and its group are gone then."""
    end = time.monotonic() + seconds
    status = None
    while status is None and time.monotonic() < end:
        ended, raw = os.waitpid(child, os.WNOHANG)
        if ended:
            status = os.waitstatus_to_exitcode(raw)
        else:
            time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if status is None:
        os.waitpid(child, 0)
    return status
