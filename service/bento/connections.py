"""Limit the number of connections, and choose which one to close when another comes."""

import os
import resource
import time
from typing import Final, Protocol

MOST: Final = 1024
"""The largest number of connections, if there are enough file descriptors."""
SPARE_DESCRIPTORS: Final = 16
"""Descriptors reserved for files, pipes, and connections that are accepted but not counted yet."""
LEAST: Final = 8
FOR_PROBES: Final = 4
"""Connections reserved for requests of health probes."""
COUNT_EVERY_S: Final = 1.0


class Connection(Protocol):
    """A connection, as this module sees it."""

    def evict(self) -> None:
        """Close it at once."""


class Connections:
    """All connections of a server: those with a request in progress, and idle ones.

    Clients can open any number of idle connections at no cost. When there are too many, the one that has been idle
    longest is closed. Connections without any answered request are closed before those of known clients.
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
        """A connection was accepted and is idle. It is closed itself only if no other one is idle."""
        self._all.add(connection)
        capacity = self.capacity()
        while len(self._all) > capacity:
            victim = next(iter(self._strangers or self._known), connection)
            self.remove(victim)
            victim.evict()
        if connection in self._all:
            self._strangers[connection] = None

    def remove(self, connection: Connection) -> None:
        """A connection has ended."""
        self._all.discard(connection)
        self._wait_no_more(connection)

    def admit(self, connection: Connection, probe: bool) -> bool:
        """Whether there is room for a request on this connection. If so, the connection is no longer idle."""
        busy = len(self._all) - len(self._strangers) - len(self._known)
        if busy >= self.capacity() - (0 if probe else FOR_PROBES):
            return False
        self._wait_no_more(connection)
        return True

    def wait(self, connection: Connection, known: bool) -> None:
        """A connection is idle again. `known`: its client has had an answer."""
        if connection in self._all:
            self._wait_no_more(connection)
            (self._known if known else self._strangers)[connection] = None

    def capacity(self) -> int:
        """The number of allowed connections, from the limit on descriptors and the process's other descriptors."""
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
