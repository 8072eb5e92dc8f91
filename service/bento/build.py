"""The module that `bentoml build` and a bento's server import. It stops a build without the bundle's graphs.

A bentofile silently skips files that do not exist, and graphs are git-ignored, so a build on a fresh clone would make a
bento that cannot serve. The import of the service is the only hook that BentoML has before a build.
"""

import os

from cxr.model.bundle import DEFAULT_BUNDLE, Bundle
from service.bento.api import Api
from service.bento.classifier import ApiWithoutExplainer
from service.verify import verify

__all__ = ["Api", "ApiWithoutExplainer"]

verify(Bundle(DEFAULT_BUNDLE))

# BentoML's images set it, and where it is set at all BentoML never starts a dead worker again.
os.environ.pop("BENTOML_CONTAINERIZED", None)
