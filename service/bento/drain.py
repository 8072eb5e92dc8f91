"""A server that is told to end answers what is already on its way to it.

uvicorn closes idle connections the moment it shuts down, also those whose next request lies unread in the socket: the
client sees its connection break, and cannot know whether it was heard. Here an idle connection stays open for a
moment, and whatever comes on it meanwhile is answered as ever, with `Connection: close`.
"""

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LINGER_S: Final = 1.0


class LingeringProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with an end that a client is told of before it comes."""

    _ending = False

    def shutdown(self) -> None:
        """Called once by uvicorn, which listens no more by then and waits for every connection to close."""
        self._ending = True
        if self.cycle is None or self.cycle.response_complete:
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(LINGER_S, self.timeout_keep_alive_handler)
        else:
            super().shutdown()

    def on_headers_complete(self) -> None:
        """A request has begun; while the server ends it is its connection's last."""
        super().on_headers_complete()
        if self._ending:
            self.cycle.keep_alive = False
