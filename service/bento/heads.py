"""uvicorn's HTTP protocol with limits on a request's head, and with correct bodies of `Upgrade` requests.

uvicorn's parser, httptools, has no limits: it would collect 64 MiB of fields, or a field of 64 MiB. The methods here
check the bytes before the parser gets them, each field, and the end of the head.
"""

import re
from typing import Any, Final

import httptools

from service.bento.drain import LingeringProtocol

HEAD_BYTES: Final = 64 << 10
HEAD_FIELDS: Final = 100

# RFC 9110, 7.2 with RFC 3986, 3.2.2: a name or an address, and a port.
_HOST: Final = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(:[0-9]{0,5})?")


class TurnedAway(Exception):
    """A request is refused with this status before it is complete. Nothing after it can be read."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class BoundedHeads(LingeringProtocol):
    """Parses requests and raises `TurnedAway` for those over the limits."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.begun = False
        """Whether a request has begun and is not complete."""
        self.in_head = False
        """Whether it is in its head."""
        self._unclaimed = 0  # bytes since the parser's last event

    def parse(self, data: bytes) -> None:
        """Give the received bytes to the parser: a body completely, a head up to its limit.

        The limit of a head that begins in the same segment as a body ends is larger by that segment.

        Raises:
            TurnedAway: 431 if a head, trailers or a chunk's extensions exceed the limits; 400 if the bytes are not HTTP
                or there is not exactly one valid Host; and what `on_headers_complete` of a subclass raises.
        """
        rest = memoryview(data)
        while rest and not self.transport.is_closing():
            length = len(rest) if self.begun and not self.in_head else HEAD_BYTES - self._unclaimed
            piece, rest = rest[:length], rest[length:]
            self._unclaimed += len(piece)
            self._feed(piece)
            if self._unclaimed >= HEAD_BYTES:  # the head continues in the next segment
                raise TurnedAway(431)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.begun = self.in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.in_head:
            return  # a trailer, which comes after the head was checked
        if len(self.headers) == HEAD_FIELDS:
            raise TurnedAway(431)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._unclaimed = 0
        if self.parser.should_upgrade():
            return  # this method will be called again, see `_parse_without_upgrade`
        self._judge_host()
        self.begin_request()
        self.in_head = False  # a request that is refused stays in its head, without a cycle of its own

    def begin_request(self) -> None:
        """The head is complete and valid."""
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unclaimed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._unclaimed = 0
        self.begun = False
        super().on_message_complete()

    def _feed(self, piece: bytes | memoryview) -> None:
        try:
            self.parser.feed_data(piece)
            return
        except httptools.HttpParserUpgrade as upgrade:
            rest = memoryview(piece)[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            cause = error.__context__
            raise cause if isinstance(cause, TurnedAway) else TurnedAway(400) from None
        self._parse_without_upgrade()
        self._feed(rest)

    def _parse_without_upgrade(self) -> None:
        """Parse the head again without its `Upgrade` fields, which a server may ignore (RFC 9110, 7.8).

        With these fields the parser would end a request at its head, and read its body as the next request.
        """
        method, version = self.parser.get_method(), self.parser.get_http_version()
        if method == b"CONNECT":
            raise TurnedAway(400)
        fields = [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        lines = [b"%s %s HTTP/%s" % (method, self.url, version.encode()), *fields, b"", b""]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self._feed(b"\r\n".join(lines))

    def _judge_host(self) -> None:
        """Require exactly one Host (RFC 9112, 3.2); HTTP/1.0 may omit it."""
        hosts = [value for name, value in self.headers if name == b"host"]
        needed = self.parser.get_http_version() != "1.0"
        if len(hosts) > 1 or (needed and not hosts) or not all(map(_HOST.fullmatch, hosts)):
            raise TurnedAway(400)
