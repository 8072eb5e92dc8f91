"""The live server that the contract tests share."""

from collections.abc import Iterator

import pytest

from cxr.bundle import Bundle
from scripts.server import Server, serve
from tests import files


@pytest.fixture(scope="session")
def server(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server with a bundle of random weights; its explainer is awake."""
    with serve(tmp_path_factory.mktemp("server") / "log", bundle.root) as running:
        running.wait_for_explainer(files.radiograph_png())
        yield running
