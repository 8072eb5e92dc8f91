"""Restrict what BentoML's supervisor listens on: only the service's port, and only on allowed addresses.

BentoML starts its workers with circus, whose control ports are TCP on the loopback interface: any user of the machine
could stop the server there. They become Unix sockets in a private folder. By default BentoML listens on every address;
listening beyond loopback requires an API key, or CXR_ALLOW_ANONYMOUS=1 if a proxy authenticates.

A dead worker's requests wait for the next worker, so circus looks for dead workers every second, which is its default.
BentoML sets ten seconds. The interval is measured with a monotonic clock. circus runs in tornado's event loop, which
uses the wall clock: after that was set back by a day, circus would not look for a day
(`tornado.ioloop.PeriodicCallback`).
"""

import ipaddress
import os
import socket
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Final

from bentoml._internal.utils import circus
from tornado.ioloop import IOLoop

from service.settings import Settings

CHECK_S: Final = 1.0


def confine(settings: Settings) -> None:
    """Restrict the supervisor that this process will start."""
    start = circus.Arbiter.__init__

    def confined(self: circus.Arbiter, *args: Any, **options: Any) -> None:
        refuse_open_sockets(options.get("sockets", ()), settings)
        folder = tempfile.TemporaryDirectory(prefix="cxr-")  # only its owner has access
        endpoints = {name: f"ipc://{folder.name}/{name}" for name in ("endpoint", "pubsub_endpoint")}
        start(self, *args, **options | endpoints | {"check_delay": CHECK_S})
        self.exit_stack.push(folder)

    circus.Arbiter.__init__ = confined  # type: ignore[method-assign]
    IOLoop.time = _monotonic  # type: ignore[method-assign]


def _monotonic(self: IOLoop) -> float:  # noqa: ARG001  # in the place of a method
    return time.monotonic()


def refuse_open_sockets(sockets: Iterable[Any], settings: Settings) -> None:
    """Raise SystemExit if one of circus's sockets would listen on an address that is not allowed."""
    _refuse_hosts([each.host for each in sockets if each.host], settings)  # a Unix socket has no host


def refuse_open_listeners(settings: Settings) -> None:
    """Raise SystemExit if this process listens on an address that is not allowed.

    Workers check this again, in case a later BentoML starts circus in another way.
    """
    _refuse_hosts(list(_listening_hosts()), settings)


def _listening_hosts() -> Iterator[str]:
    """Addresses of this process's listening internet sockets."""
    for descriptor in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208  # numbers are wanted
        with suppress(OSError):  # not a socket
            found = socket.socket(fileno=descriptor)
            internet = found.family in (socket.AF_INET, socket.AF_INET6)
            if internet and found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                yield found.getsockname()[0]
            found.detach()  # the descriptor is not ours to close


def _refuse_hosts(hosts: list[str], settings: Settings) -> None:
    if len(hosts) > 1:
        raise SystemExit("The explainer trusts everyone who can reach it: unset BENTOML_NO_UDS.")
    if settings.needs_key or settings.allow_anonymous:
        return
    if not all(ipaddress.ip_address(host).is_loopback for host in hosts):
        raise SystemExit(
            "Without a key the service listens on loopback only. Set CXR_API_KEYS or CXR_API_KEYS_FILE, or "
            "CXR_ALLOW_ANONYMOUS=1 if a proxy authenticates, or serve with --host 127.0.0.1."
        )
