"""The service with a deliberate memory leak, to show that the soak test detects one."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.app import app
from service.bento.api import Api

__all__ = ["Api"]

_kept: Final[list[bytearray]] = []


class Leak:
    """Keeps a copy of every body, like an unbounded cache."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def keep() -> Message:
            message = await receive()
            _kept.append(bytearray(message.get("body", b"")))
            return message

        await self.app(scope, keep, send)


app.add_middleware(Leak)
