"""The protocol of every connection: its time limits, and the answers to refused requests.

A request that is refused here never reaches the app. It is still counted and logged, and its connection is closed. It
is answered too, unless the answer to an earlier request is in progress.
"""

import asyncio
from array import array
from collections.abc import Callable
from fcntl import ioctl
from functools import partial
from termios import FIONREAD
from typing import Any, Final

import uvicorn.config
from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from service.bento.connections import Connections
from service.bento.drain import LINGER_S
from service.bento.heads import TurnedAway
from service.bento.stalls import UnstalledProtocol

HEAD_S: Final = 10.0
"""Seconds for a request's head, from its first byte or from the start of the connection."""
REST_S: Final = 10.0
"""Seconds for the rest of a body whose request has been answered."""
CLOSE_S: Final = 1.0
"""Seconds for a client to read the refusal: closing with unread bytes would discard the answer."""
KEEP_ALIVE_S: Final = 75.0
"""Seconds for the next request on an idle connection. Proxies and clients that end theirs after 60 s, as most do, end
it first: a request that is sent while the server closes is lost."""
PROBES: Final = frozenset({b"/livez", b"/readyz", b"/healthz"})

TurnAway = Callable[[int], Response]


class LimitedProtocol(UnstalledProtocol):
    """One connection. It is idle, in a head, has a request in progress, or waits for the rest of a body."""

    def __init__(
        self, connections: Connections, turn_away: TurnAway, keep_alive_s: float, *args: Any, **options: Any
    ) -> None:
        """
        Args:
            connections: all of this server.
            turn_away: makes the answer for a status: 400, 408, 431 or 503.
            keep_alive_s: see `KEEP_ALIVE_S`.
            args, options: uvicorn's arguments.
        """
        super().__init__(*args, **options)
        self._all = connections
        self._turn_away = turn_away
        self._keep_alive_s = keep_alive_s
        self._running: RequestResponseCycle | None = None
        self._refused = False
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._set_deadline(HEAD_S)
        self._all.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.remove(self)
        self._set_deadline(None)
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True  # uvicorn tells only the last request of those on the connection
            self._running.message_event.set()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def shutdown(self) -> None:
        super().shutdown()
        if self._answered:  # whatever comes from now on, a request's head must be complete soon
            self._set_deadline(LINGER_S)

    def evict(self) -> None:
        """Close an idle connection, because another one needs its place."""
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return  # read and discarded, so that the answer is not lost
        self._unset_keepalive_if_required()
        if self._deadline is None and self._answered:
            self._set_deadline(HEAD_S)
        try:
            self.parse(data)
        except TurnedAway as refusal:
            self._refuse(refusal.status)

    def begin_request(self) -> None:
        self._set_deadline(None)
        if not self._all.admit(self, probe=self.url.partition(b"?")[0] in PROBES):
            raise TurnedAway(503)
        super().begin_request()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if not self.begun and self._answered:  # before its last byte came
            self._wait()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._answered:
            self._wait()

    @property
    def _answered(self) -> bool:
        """Whether no answer is in progress."""
        return (self.cycle is None or self.cycle.response_complete) and not self.pipeline

    def _wait(self) -> None:
        """Wait for the rest of a request, or for the next one. uvicorn's own timer covers only the latter, for 5 s."""
        if self.transport.is_closing():
            return
        self._all.wait(self, known=not self.begun)
        self._unset_keepalive_if_required()
        if self.begun:
            self._set_deadline(LINGER_S if self._ending else HEAD_S if self.in_head else REST_S)
        else:
            self._set_deadline(None)
            self._keep(LINGER_S if self._ending else self._keep_alive_s)

    def _keep(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        """Close the idle connection, unless bytes have come that were not read: uvloop runs timers before it reads."""
        if not self.transport.is_closing() and self._unread():
            self._keep(LINGER_S)
        else:
            super().timeout_keep_alive_handler()

    def _unread(self) -> bool:
        number = array("i", [0])
        ioctl(self.transport.get_extra_info("socket").fileno(), FIONREAD, number)
        return number[0] > 0

    def _set_deadline(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self._too_late)

    def _too_late(self) -> None:
        """Answer 408 to an incomplete head; close the connection without an answer in other cases."""
        if self.in_head:
            self._refuse(408)
        else:
            self.transport.abort()

    def _refuse(self, status: int) -> None:
        """Answer a refused request and close. Answers in progress to earlier requests are finished first."""
        self._refused = True
        self._set_deadline(None)
        if self.transport.is_closing():
            return
        answer = self._turn_away(status)
        if not self._answered and not self._give_up():
            return
        fields = [*self.server_state.default_headers, *answer.raw_headers, (b"connection", b"close")]
        head = STATUS_LINE[status] + b"".join(name + b": " + value + b"\r\n" for name, value in fields)
        self.transport.write(head + b"\r\n" + bytes(answer.body))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._all.wait(self, known=False)
        self._deadline = self.loop.call_later(CLOSE_S, self.transport.abort)

    def _give_up(self) -> bool:
        """Whether the refused request is in progress without an answer so far. If so, its app is told to stop."""
        in_its_body = self.begun and not self.in_head and not self.pipeline
        if in_its_body and not self.cycle.response_started:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            return True
        if in_its_body:
            self.transport.close()
        self.cycle.keep_alive = False
        return False


def install(turn_away: TurnAway, keep_alive_s: float = KEEP_ALIVE_S) -> None:
    """Use this protocol in the server that this process will start: BentoML's worker has no option for it."""
    protocol: Any = partial(LimitedProtocol, Connections(), turn_away, keep_alive_s)
    uvicorn.config.HTTP_PROTOCOLS["auto"] = protocol
