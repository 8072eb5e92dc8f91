"""Send requests for our app's paths directly to it.

BentoML's router would first search its own routes and make a context for each request, which only its typed endpoints
use; and it has its own /schema.json. BentoML still handles its probes and unknown paths.
"""

from collections.abc import Callable, Collection
from typing import Any, TypeVar

from starlette.types import ASGIApp, Receive, Scope, Send

T = TypeVar("T")


class _OwnPaths:
    """Middleware of BentoML's app that sends some paths to ours."""

    def __init__(self, app: ASGIApp, ours: ASGIApp, paths: Collection[str]) -> None:
        self._app = app
        self._ours = ours
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        own = scope["type"] == "http" and scope["path"] in self._paths
        await (self._ours if own else self._app)(scope, receive, send)


def answer_own_paths(ours: ASGIApp, paths: Collection[str]) -> Callable[[T], T]:
    """A decorator of a BentoML service that sends these paths to our app."""

    def decorate(service: Any) -> Any:
        service.add_asgi_middleware(_OwnPaths, ours=ours, paths=paths)
        return service

    return decorate
