"""Fixtures for the tests of the node."""

import gc
import warnings
from collections.abc import Iterator
from socketserver import BaseServer

import pytest


@pytest.fixture(autouse=True)
def quick_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers check every 20 ms, instead of twice a second, whether they should end: tests start dozens."""
    serve = BaseServer.serve_forever
    monkeypatch.setattr(BaseServer, "serve_forever", lambda self, _poll_interval=0.5: serve(self, 0.02))


@pytest.fixture
def forgotten_sockets() -> Iterator[None]:
    """Collect sockets of failed connections: pynetdicom does not close them, and the warning may hit another test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
