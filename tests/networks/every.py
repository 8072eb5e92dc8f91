"""Every architecture, as parameters of a test. The deeper of two of a kind is slow: it has more of the same layers."""

import pytest

from cxr.model.architecture import ARCHITECTURES, Architecture

DEEPER: frozenset[Architecture] = frozenset({"vgg19", "vgg19_bn", "resnet34", "densenet201"})

EVERY = [pytest.param(name, marks=pytest.mark.slow) if name in DEEPER else pytest.param(name) for name in ARCHITECTURES]
