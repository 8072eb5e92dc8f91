"""The paths that our app has go straight to it.

BentoML's router would look through its own routes first and make a context of each request that only its typed
endpoints read; and it has a /schema.json of its own. Left to it are its probes, and paths that nobody has.
"""

from collections.abc import Callable, Collection
from typing import Any, TypeVar

from starlette.types import ASGIApp, Receive, Scope, Send

T = TypeVar("T")


class _OwnPaths:
    """Middleware of BentoML's app that leaves some paths to ours."""

    def __init__(self, app: ASGIApp, ours: ASGIApp, paths: Collection[str]) -> None:
        self._app = app
        self._ours = ours
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        own = scope["type"] == "http" and scope["path"] in self._paths
        await (self._ours if own else self._app)(scope, receive, send)


def answer_own_paths(ours: ASGIApp, paths: Collection[str]) -> Callable[[T], T]:
    """A decorator of a BentoML service that leaves these paths to our app."""

    def decorate(service: Any) -> Any:
        service.add_asgi_middleware(_OwnPaths, ours=ours, paths=paths)
        return service

    return decorate
