"""Keep web pages of other origins from using a service that needs no key."""

import ipaddress
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from cxr.errors import Refusal
from service.refusals import OtherOrigin, UnknownHost

_OWN: Final = frozenset({"same-origin", "none"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Origins:
    """Decides which pages' requests are accepted by a service that needs no key.

    A page of another origin can make the browser of its visitor send requests, also to loopback. Two checks refuse
    them:

    - `Sec-Fetch-Site`, or without it `Origin` against `Host`, detects a page of another origin.
    - `Host` must name loopback. This stops DNS rebinding, where the page's own host name resolves to this service and
      both origins look the same.

    A service with keys needs neither check: such a page has no key.
    """

    def __init__(self, keyless: bool, loopback_only: bool) -> None:
        """
        Args:
            keyless: the service needs no key.
            loopback_only: clients use loopback's names only, because there is no proxy before the service.
        """
        self._keyless = keyless
        self._loopback_only = loopback_only

    def refusal(self, method: str, headers: Mapping[str, str]) -> type[Refusal] | None:
        """The refusal of a request by its origin; None if it is accepted."""
        if not self._keyless:
            return None
        if self._loopback_only and not _names_loopback(headers.get("host", "")):
            return UnknownHost
        return None if method in _SAFE or _is_own(headers) else OtherOrigin


def _is_own(headers: Mapping[str, str]) -> bool:
    """Whether a request comes from our own page, from the address bar, or not from a browser."""
    site = headers.get("sec-fetch-site")  # browsers do not send this header to plain HTTP beyond loopback
    if site is not None:
        return site in _OWN
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2].lower() == headers.get("host", "").lower()


def _names_loopback(host: str) -> bool:
    """Whether a `Host` field names loopback, with any port. An empty field passes: no browser sends one."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name in ("", "localhost") or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
