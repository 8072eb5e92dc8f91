"""Abort connections whose client does not read its answer: uvicorn would wait forever and keep the answer in memory."""

import asyncio
from typing import Any, Final

from service.bento.heads import BoundedHeads

STALL_S: Final = 30.0
"""Seconds in which a client must read at least `STALL_BYTES` of its answer."""
STALL_BYTES: Final = 64 << 10


class UnstalledProtocol(BoundedHeads):
    """Aborts a connection whose client reads too slowly."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._stall: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._watch_no_more()

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch_no_more()
        super().connection_lost(exc)

    def _watch(self) -> None:
        unsent = self.transport.get_write_buffer_size()
        self._stall = self.loop.call_later(STALL_S, self._judge, unsent)

    def _judge(self, unsent: int) -> None:
        if unsent - self.transport.get_write_buffer_size() < STALL_BYTES:
            self.transport.abort()
        else:
            self._watch()

    def _watch_no_more(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
