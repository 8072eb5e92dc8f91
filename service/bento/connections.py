"""How many connections there may be, and who goes when one more comes."""

import os
import resource
import time
from typing import Final, Protocol

MOST: Final = 1024
"""Connections, where descriptors allow."""
SPARE_DESCRIPTORS: Final = 16
"""For what the process opens meanwhile: files, pipes, and connections that are accepted before they are counted."""
LEAST: Final = 8
FOR_PROBES: Final = 4
"""Connections that no request but a probe's may take."""
COUNT_EVERY_S: Final = 1.0


class Connection(Protocol):
    """What is known of one here."""

    def evict(self) -> None:
        """Close it at once."""


class Connections:
    """All connections of a server: those with a request under way, and those that wait for one.

    A waiting connection costs its client nothing, so that there may be any number; when one too many comes, the one
    that waited longest is closed. Those on which no request was ever answered go before those of known clients.
    """

    def __init__(self) -> None:
        self._all: set[Connection] = set()
        self._strangers: dict[Connection, None] = {}  # in the order in which they began to wait
        self._known: dict[Connection, None] = {}
        self._counted = -COUNT_EVERY_S
        self._others = 0

    def __len__(self) -> int:
        return len(self._all)

    def add(self, connection: Connection) -> None:
        """A connection was accepted, and waits."""
        self._all.add(connection)
        self._strangers[connection] = None
        capacity = self.capacity()
        while len(self._all) > capacity and (waiting := self._strangers or self._known):
            victim = next(iter(waiting))
            self.remove(victim)
            victim.evict()

    def remove(self, connection: Connection) -> None:
        """A connection has ended."""
        self._all.discard(connection)
        self._wait_no_more(connection)

    def admit(self, connection: Connection, probe: bool) -> bool:
        """Whether there is room for a request on this connection, which waits no more if there is."""
        busy = len(self._all) - len(self._strangers) - len(self._known)
        if busy >= self.capacity() - (0 if probe else FOR_PROBES):
            return False
        self._wait_no_more(connection)
        return True

    def wait(self, connection: Connection, known: bool) -> None:
        """A connection waits again; `known`: for the next request of a client who had an answer."""
        if connection in self._all:
            self._wait_no_more(connection)
            (self._known if known else self._strangers)[connection] = None

    def capacity(self) -> int:
        """How many there may be, by the limit on descriptors and what else of the process has one."""
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if limit == resource.RLIM_INFINITY:
            return MOST
        return max(LEAST, min(MOST, limit - self._other_descriptors() - SPARE_DESCRIPTORS))

    def _other_descriptors(self) -> int:
        now = time.monotonic()
        if now - self._counted >= COUNT_EVERY_S:
            self._counted = now
            self._others = len(os.listdir("/proc/self/fd")) - len(self._all)  # noqa: PTH208  # the fastest way
        return self._others

    def _wait_no_more(self, connection: Connection) -> None:
        self._strangers.pop(connection, None)
        self._known.pop(connection, None)
