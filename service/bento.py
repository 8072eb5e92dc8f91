"""What `bentoml build` imports: a bento without its bundle's graphs must not come to be.

bentofile.yaml includes what it finds and says nothing about what it does not find, and graphs are git-ignored:
a build on a fresh clone would make a bento that cannot serve. BentoML has no hook before a build but the import of
the service.
"""

from cxr.bundle import DEFAULT_BUNDLE, Bundle
from service.app import Api
from service.verify import verify

__all__ = ["Api"]

verify(Bundle(DEFAULT_BUNDLE))
