"""Fixtures of many tests."""

import pytest

from cxr.bundle import Bundle
from tests.bundles import make_bundle


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Two members of different architecture, random weights, 64 pixels, exported. Do not write into it."""
    return make_bundle(tmp_path_factory.mktemp("bundles") / "pair", ("resnet18", "vgg16_bn"))
