"""Fixtures of the node's tests."""

import gc
import warnings
from collections.abc import Iterator
from socketserver import BaseServer

import pytest


@pytest.fixture(autouse=True)
def quick_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers look every 20 ms whether they are to end, and not twice a second: tests start dozens."""
    serve = BaseServer.serve_forever
    monkeypatch.setattr(BaseServer, "serve_forever", lambda self, _poll_interval=0.5: serve(self, 0.02))


@pytest.fixture
def forgotten_sockets() -> Iterator[None]:
    """For connections that fail: pynetdicom leaves sockets to the collector, whose warning may hit another test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
