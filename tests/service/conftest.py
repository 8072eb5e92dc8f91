"""A server that asks for a key."""

from collections.abc import Iterator

import pytest

from cxr.model.bundle import Bundle
from scripts.server import Server, serve
from tests.service.keys import FIRST, SECOND


@pytest.fixture(scope="session")
def server_with_keys(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("keys") / "log", bundle.root, api_keys=f"{FIRST},{SECOND}") as running:
        yield running
