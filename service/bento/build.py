"""What `bentoml build` and a bento's server import. A bento without its bundle's graphs must not come to be.

A bentofile includes what it finds and says nothing about what it does not find, and graphs are git-ignored: a build
on a fresh clone would make a bento that cannot serve. BentoML has no hook before a build but the import of the
service.
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
