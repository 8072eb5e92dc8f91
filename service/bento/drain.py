"""Graceful shutdown: answer requests that are already on their way when the server stops.

On shutdown uvicorn immediately closes idle connections, even if their next request is already in the socket. The client
then sees a broken connection and cannot know whether the request was received. Here an idle connection stays open for
a moment, and requests that arrive meanwhile are answered normally, with `Connection: close`.
"""

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LINGER_S: Final = 1.0


class LingeringProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which announces the end of a connection to the client."""

    _ending = False

    def shutdown(self) -> None:
        """Called once by uvicorn after it has stopped listening. uvicorn then waits for all connections to close."""
        self._ending = True
        if self.cycle is None or self.cycle.response_complete:
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(LINGER_S, self.timeout_keep_alive_handler)
        else:
            super().shutdown()

    def on_headers_complete(self) -> None:
        """A request has begun. During shutdown it is the last one of its connection."""
        super().on_headers_complete()
        if self._ending:
            self.cycle.keep_alive = False
